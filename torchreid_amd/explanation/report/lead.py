"""What makes up a distance, in one sentence for anybody."""

from __future__ import annotations

from torchreid_amd.account.account import ERROR, Account
from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.report.pieces import LEAST, pieces, shown_and_small
from torchreid_amd.explanation.report.text import percent

_LEFT = {"/remainder": "belongs to no attribute", "/residual": "is not explained"}


def lead(e: ExplainedPair) -> str:
    """The sentence a page opens with."""
    if not e.distance:
        return "To the model these two photographs are the same: there is nothing to explain."
    if e.account is not None:
        return _of_account(e.account)
    shown, _ = shown_and_small(pieces(e), e.distance)
    said = [f"{p.words} {percent(p.value / e.distance)}" for p in shown if p.named and p.value > 0][:3]
    first = f"Above all {_listed(said)}" if said else f"No attribute makes up as much as {percent(LEAST)}"
    left = [p for p in shown if p.key in _LEFT and p.value > 0]
    return first + "".join(f"; {percent(p.value / e.distance)} {_LEFT[p.key]}" for p in left) + "."


def _of_account(account: Account) -> str:
    """The largest parts, each with the largest of what is known of it."""
    by_part = sorted(account.by_part().items(), key=lambda found: -found[1])
    said = []
    for part, value in [found for found in by_part if found[1] >= ERROR * account.distance][:3]:
        named = [row for row in account.rows if row.part == part and row.what and row.counts]
        why = f" ({named[0].words})" if named else ""
        said.append(f"the {part}{why} {percent(value / account.distance)}")
    return f"Above all {_listed(said)}." if said else "No part is larger than the error of an account."


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
