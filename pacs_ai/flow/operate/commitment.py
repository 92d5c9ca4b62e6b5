"""Storage commitment of a job's results, asked for by an operator."""

from pacs_ai.domain import JobId
from pacs_ai.errors import StateError
from pacs_ai.flow.commitment_scu import Answer, ask_again
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_job


def ask_commitment(context: FlowContext, reference: str) -> list[Answer]:
    """Ask the peers that have a job's results once more whether they keep them.

    Parameters
    ----------
    reference
        The job's id, or enough of its first characters.

    Returns
    -------
    list of Answer
        One for each peer. The rest of a report may come later, to the node that listens.

    Raises
    ------
    StateError
        If this names no job, or several; or if no peer has a result to commit to.
    PeerError
        If a peer does not answer.
    """
    job = find_job(context, reference)
    answers = ask_again(context, JobId(job.id))
    if not answers:
        raise StateError(f"job {job.id} has nothing stored at a peer and not committed")
    return answers
