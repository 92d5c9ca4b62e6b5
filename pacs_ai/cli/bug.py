"""What a person is told of an error that nobody expected: where, and nothing that was said."""

from pathlib import Path


def bug_text(error: BaseException) -> str:
    """Name an error and the last places it came through; its own text may quote a patient."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-4:])}; please report it"
