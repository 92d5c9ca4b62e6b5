"""The commands: their names, the modules that have them, and their help in one line.

Nothing but the standard library may be imported here: help and version answer at once.
"""

from collections.abc import Mapping

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("init", "Write the configuration of a new node: a few questions, or flags."),
    "listen": ("listen", "Run the node: receive, analyse, deliver."),
    "work": ("listen", "Run a node that does not listen: it analyses and delivers."),
    "web": ("web", "Serve the page and the REST API alone, without a daemon."),
    "tokens": ("tokens", "Who may use the page and the REST API: add, list, revoke."),
    "users": ("users", "Users that callers must show: add, list, remove."),
    "demo": ("demo", "Send three studies through a node to an archive, on this machine."),
    "bench": ("bench", "How fast this installation is: site."),
    "infer": ("infer", "Analyse files without network."),
    "accept": ("accept", "Test a model on local cases before it goes live."),
    "echo": ("peers", "Ask a peer whether it is there (C-ECHO)."),
    "send": ("peers", "Send files to a peer (C-STORE)."),
    "commit": ("peers", "Ask the archives once more whether they keep a job's results."),
    "pull": ("pull", "Fetch studies from an archive, one after the other."),
    "studies": ("studies", "Studies: list, show, close, reroute, resolve, delete."),
    "trace": ("trace", "What happened to a study, step by step, and where the time went."),
    "jobs": ("jobs", "Jobs, one model on one study: list, show, retry, cancel."),
    "results": ("results", "Results that were made: withdraw, withdrawals."),
    "deliveries": ("deliveries", "Results on their way: list, retry, cancel."),
    "notifications": ("notifications", "Messages to webhooks and by mail: list, retry."),
    "rules": ("rules", "The rules: test, reload."),
    "feedback": ("feedback", "What people say about results: add, list, concordance, export."),
    "audit": ("audit", "The ledger of what happened: list, verify."),
    "evidence": ("evidence", "What was made of a study, as one archive: write, verify."),
    "download": ("training", "Download images of a public archive, and verify them."),
    "dataset": ("training", "Look at the data of a recipe: splits, classes, leakage."),
    "train": ("training", "Follow a recipe from data to a bundle that the node serves."),
    "finetune": ("training", "Train the network of a run further."),
    "tune": ("training", "Search for good settings of a recipe."),
    "weights": ("weights", "Pretrained weights: list, fetch, import."),
    "evaluate": ("training", "Evaluate a run on its test split, or on data of another origin."),
    "compare": ("training", "Compare runs on the same test cases, with intervals."),
    "explain": (
        "training",
        "Draw what a run's network looks at, and measure how faithful that is.",
    ),
    "mlflow": ("training", "Copy runs into an MLflow store: parameters, metrics, files."),
    "export": ("export", "De-identified copies of studies; or the bundle of a training run."),
    "quantise": ("training", "Make smaller bundles of a bundle, and measure what each loses."),
    "models": ("models", "Models: list, verify, import, add, remove."),
    "tls": ("tls", "Certificates to try DICOM over TLS with: init."),
    "config": ("config", "The configuration: check."),
    "db": ("db", "The database: upgrade, check, rekey, backup, restore."),
    "doctor": ("doctor", "Check this installation, and name what is wrong."),
    "check": ("check", "Compare results, of any maker, with the rules of IHE AI Results."),
    "conformance": ("conformance", "Print the DICOM conformance statement."),
}
"""Command: the module of this package that has it, and its help in one line."""

GROUPS = frozenset(
    {
        *("studies", "jobs", "deliveries", "feedback", "audit", "evidence", "tokens", "users"),
        *("rules", "results", "notifications", "models", "weights", "tls", "config", "db", "bench"),
    }
)
"""Commands that have commands of their own."""


def overview() -> str:
    """Return the help of the top level."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: pacs-ai COMMAND [OPTIONS] [ARGUMENTS]",
            "",
            "A DICOM node beside the PACS: receives studies, classifies and explains them, reports",
            "back. For research only: not a medical device.",
            "",
            "Commands:",
            *lines,
            "",
            "Every command explains itself with --help. --config PATH names the configuration of",
            "the node; without it, pacs-ai.toml of the working directory. -v logs in detail.",
            "PEER is the name of a [peers.*] section, or AET@host:port.",
            "",
            "  --version  Print the version.",
            "",
            "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 peer unreachable,",
            "4 data rejected, 130 interrupted.",
        ]
    )
