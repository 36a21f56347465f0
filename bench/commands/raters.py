"""The commands about a study's raters: inviting them, their receipts, and their leaving."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

from bench.arguments import Adder, Command, days, positive
from bench.errors import RequestError

_HERE = "http://127.0.0.1:7860"


def add_to(actions: Any, command: Adder) -> None:
    """Add the commands of this file to those of a study."""
    invite = command("study invite", "print invitation links, one a line", within=actions)
    invite.add_argument("study", type=Path, metavar="STUDY")
    invite.add_argument("--count", type=positive, help="how many raters (1)")
    invite.add_argument("--group", default="", help="the raters' group, for the tables")
    invite.add_argument("--language", default="", help="in which the links open")
    invite.add_argument(
        "--list", type=Path, metavar="CSV", help="columns group, language, label; prints label,link"
    )
    invite.add_argument(
        "--again",
        metavar="RATER",
        help="pseudonym, receipt or earlier link: a new link for who lost theirs; it voids those",
    )
    invite.add_argument(
        "--expires", type=days, metavar="30d", help="after how long a link opens nothing any more"
    )
    invite.add_argument(
        "--base-url",
        metavar="URL",
        help=f"where raters reach the rooms ({_HERE}, where `pinlu rate` serves by default)",
    )
    withdraw = command("study withdraw", "erase one rater's responses", within=actions)
    withdraw.add_argument("study", type=Path, metavar="STUDY")
    withdraw.add_argument("rater", metavar="RATER", help="pseudonym, receipt or link")
    withdraw.add_argument("--reason", default="", help="why, for the record")
    revoke = command("study revoke", "make a rater's link useless; answers stay", within=actions)
    revoke.add_argument("study", type=Path, metavar="STUDY")
    revoke.add_argument("rater", metavar="RATER", help="pseudonym, receipt or link")
    revoke.add_argument("--reason", required=True, help="why, for the record")
    receipt = command("study receipt", "say what stands behind a rater's receipt", within=actions)
    receipt.add_argument("study", type=Path, metavar="STUDY")
    receipt.add_argument("code", metavar="CODE", help="as in K7QM-2XRA")


def _study_invite(options: argparse.Namespace) -> int:
    """Print links, one a line; of a list, a CSV of label and link."""
    from raters.invitations import Wanted, invite_again, invite_all, read_wanted

    base_url = options.base_url or _HERE
    if options.again is not None:
        if options.list or options.count or options.group:
            raise RequestError("--again makes one link for one rater: leave out list, count, group")
        print(
            invite_again(
                options.study,
                options.again,
                base_url=base_url,
                language=options.language,
                days=options.expires,
            )
        )
        _say_where(options)
        return 0
    if options.list and (options.count or options.group or options.language):
        raise RequestError("give --list, or --count with --group and --language, not both")
    wanted = (
        read_wanted(options.list)
        if options.list
        else [Wanted(options.group, options.language)] * (options.count or 1)
    )
    links = invite_all(options.study, wanted, base_url=base_url, days=options.expires)
    if options.list:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("label", "link"))
        rows.writerows((one.label, link) for one, link in zip(wanted, links, strict=True))
    else:
        print("\n".join(links))
    _say_where(options)
    return 0


def _say_where(options: argparse.Namespace) -> None:
    """Say, beside the links, where they lead if nothing was said of it."""
    if options.base_url is None:
        print(
            f"these links lead to {_HERE}: with another host or port of `pinlu rate`, or a name that "
            "others reach, make them with --base-url",
            file=sys.stderr,
        )


def _study_revoke(options: argparse.Namespace) -> int:
    """Make a rater's link useless."""
    from raters.invitations import revoke

    done = revoke(options.study, options.rater, options.reason)
    stays = "what was answered stays" if done["started"] else "the place is free for another"
    print(f"{done['rater']}: the link opens nothing any more; {stays}")
    return 0


def _study_receipt(options: argparse.Namespace) -> int:
    """Say what stands behind a receipt."""
    from raters.invitations import check_receipt

    for name, value in check_receipt(options.study, options.code).items():
        print(f"{name}: {'' if value is None else value}")
    return 0


def _study_withdraw(options: argparse.Namespace) -> int:
    """Erase what a rater answered."""
    from raters.study import withdraw

    done = withdraw(options.study, options.rater, options.reason)
    print(f"{done['rater']} has withdrawn; their responses are erased")
    return 0


COMMANDS: dict[str, Command] = {
    "study invite": _study_invite,
    "study revoke": _study_revoke,
    "study receipt": _study_receipt,
    "study withdraw": _study_withdraw,
}
