"""All verbs, in the order of a study's life."""

from raystudy.cli.commands.conclude import CONCLUDE
from raystudy.cli.commands.environment import ENVIRONMENT
from raystudy.cli.commands.inspect import INSPECT
from raystudy.cli.commands.search import SEARCH

GROUPS = {
    "search": SEARCH,
    "inspect": INSPECT,
    "conclude": CONCLUDE,
    "environment": ENVIRONMENT,
}
