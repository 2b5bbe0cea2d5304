"""`datumd recipe`: which recipes a running station has, and by which one it inspects."""

import argparse

from pipeline.commands.connection import add_connection, control_of


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its actions."""
    parser = subparsers.add_parser(
        "recipe",
        help="list a running station's recipes, select one by number",
        description="The recipes of a running station. All are loaded and qualified at its start; the parts that come after "
        "`select` are inspected by the one selected, which stays selected until the station file names another.",
        epilog="Examples: datumd recipe list    datumd recipe select 2 tcp://127.0.0.1:5570    datumd recipe status",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all recipes: number, name, whether it can be selected")
    listing.set_defaults(run=run_list)
    select = actions.add_parser("select", help="inspect by another recipe from the next part on")
    select.add_argument("number", type=int, metavar="N", help="the recipe's number")
    select.set_defaults(run=run_select)
    status = actions.add_parser("status", help="the recipe that parts are inspected by")
    status.set_defaults(run=run_status)
    for action in (listing, select, status):
        add_connection(action)


def run_list(args: argparse.Namespace) -> int:
    """Print one line a recipe."""
    with control_of(args) as control:
        for entry in control.recipes():
            selected = "selected" if entry.selected else ""
            print(
                f"{entry.number:5}  {entry.name:24} {selected:9} {entry.fault or entry.configuration_id[:12]}".rstrip()
            )
    return 0


def run_select(args: argparse.Namespace) -> int:
    """Select it."""
    with control_of(args) as control:
        control.select_recipe(args.number)
    print(f"recipe {args.number} is selected, from the next part on")
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Print the selected recipe."""
    with control_of(args) as control:
        status = control.status()
    number = "-" if status.recipe_id is None else status.recipe_id
    print(f"{number}  {status.product_id}  {status.configuration_id}".rstrip())
    return 0
