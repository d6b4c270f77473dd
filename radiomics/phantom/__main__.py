"""Command line: describe a plan, write the contact sheet, measure the models."""

import argparse
import sys
from pathlib import Path

from radiomics.phantom.calibrate import calibrated
from radiomics.phantom.contact_sheet import write_contact_sheet, write_whole_bodies
from radiomics.phantom.plan import Plan, make_plan


def parser() -> argparse.ArgumentParser:
    """Arguments of the three commands."""
    top = argparse.ArgumentParser(prog="python -m radiomics.phantom")
    commands = top.add_subparsers(dest="command", required=True)
    describe = commands.add_parser("describe", help="print the plan, truth included")
    sheet = commands.add_parser("contact-sheet", help="write one picture of many lesions")
    sheet.add_argument("out", type=Path)
    sheet.add_argument("--cases", type=int, default=12)
    sheet.add_argument("--whole-body", action="store_true")
    measure = commands.add_parser("calibrate", help="measure the models on one cohort")
    measure.add_argument("--workers", type=int, default=1)
    for command in (describe, sheet, measure):
        command.add_argument("--seed", type=int, default=2022)
        command.add_argument("--patients", type=int, default=132)
        command.add_argument("--difficulty", type=float, default=1.0)
        command.add_argument("--null", action="store_true")
    return top


def described(plan: Plan) -> list[str]:
    """One tab-separated line per lesion."""
    return [
        "\t".join(
            (p.subject, p.sex, str(p.age), p.primary, str(le.slot), le.level, le.truth, le.subtype, le.method,
             le.image_class, le.shape, le.ct_type, f"{le.t_ct:.3f}", f"{le.t_sp:.3f}")
        )
        for p in plan.patients
        for le in p.lesions
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run one command; 2 with one sentence for bad arguments."""
    chosen = parser().parse_args(arguments)
    try:
        plan = make_plan(
            seed=chosen.seed,
            n_patients=chosen.patients,
            difficulty=chosen.difficulty,
            null=chosen.null,
        )
        lines = run(chosen, plan)
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def run(chosen: argparse.Namespace, plan: Plan) -> list[str]:
    """The lines a command prints."""
    if chosen.command == "describe":
        return described(plan)
    if chosen.command == "calibrate":
        return calibrated(plan, workers=chosen.workers)
    return drawn(chosen, plan)


def drawn(chosen: argparse.Namespace, plan: Plan) -> list[str]:
    """Write the picture that was asked for; the captions."""
    if chosen.whole_body:
        write_whole_bodies(chosen.out, plan)
        return [p.subject for p in plan.patients[:8]]
    return write_contact_sheet(chosen.out, plan, chosen.cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
