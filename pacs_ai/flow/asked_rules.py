"""What the rules ask of a job: written down when it is made, read when it begins.

A job goes by the rule of the configuration as it is when the job begins. A rule that is not there
any more counts as it was when the job was made: nothing that was asked for is lost.
"""

from collections.abc import Sequence
from typing import Any

from pacs_ai.config import BACK_TO_SENDER, Config, DimsePeer, Rule
from pacs_ai.priorities import Priority
from pacs_ai.store.schema import Job

AskedFor = dict[str, Any]
"""Content of ``Job.asked``: rules, series, and the peers that `BACK_TO_SENDER` stands for."""


def asked_for(rules: Sequence[Rule], series: Sequence[str], senders: Sequence[str]) -> AskedFor:
    """Return what is written down of the rules of a job; nothing of it names a patient.

    Parameters
    ----------
    series
        Series Instance UIDs that the model is shown; () for all.
    senders
        Names of the peers that the results go back to, where a rule asks for it.
    """
    kept = {"name", "send_to", "results", "when_not_analysable"}
    return {
        "rules": [rule.model_dump(mode="json", include=kept) | _priors(rule) for rule in rules],
        "series": list(series),
        "senders": list(senders),
    }


def _priors(rule: Rule) -> dict[str, object]:
    """Return the keys of ``priors`` that are set, if a rule has it."""
    if rule.priors is None:
        return {}
    return {"priors": rule.priors.model_dump(mode="json", exclude_unset=True)}


def rules_of(config: Config, job: Job) -> list[Rule]:
    """Return the rules of a job, with the names of peers that exist in place of the sender."""
    asked = job.asked or {}
    earlier = {one["name"]: one for one in asked.get("rules", ())}
    now = {rule.name: rule for rule in config.rules}
    found = []
    for name in job.rules:
        rule = now.get(name)
        if rule is None and name in earlier:
            rule = Rule.model_validate({**earlier[name], "model": job.model_name})
        if rule is not None:
            found.append(_addressed(config, rule, asked.get("senders", ())))
    return found


def _addressed(config: Config, rule: Rule, senders: Sequence[str]) -> Rule:
    names = [
        name for one in rule.send_to for name in (senders if one == BACK_TO_SENDER else (one,))
    ]
    there = tuple(dict.fromkeys(name for name in names if name in config.peers))
    return rule.model_copy(update={"send_to": there})


def series_of(job: Job) -> frozenset[str]:
    """Return the series that the model of a job is shown; none for all."""
    return frozenset((job.asked or {}).get("series", ()))


def peers_of_sender(config: Config, calling_aet: str, address: str) -> list[str]:
    """Return the peer that is a sender, as a list; [] if none has its AE title.

    Of several with this title it is the one at the address that the instance came from.
    """
    named = [name for name, one in config.peers.items() if _is_sender(one, calling_aet)]
    at = [name for name in named if config.dimse_peers[name].host == address]
    return (at or named)[:1]


def _is_sender(peer: object, calling_aet: str) -> bool:
    return isinstance(peer, DimsePeer) and peer.ae_title.strip() == calling_aet.strip()


def priority_of(rules: Sequence[Rule]) -> Priority:
    """Return the priority of a job: the highest that any of its rules gives."""
    return min((Priority[rule.priority.upper()] for rule in rules), default=Priority.ROUTINE)
