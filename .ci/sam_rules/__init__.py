"""What the template must be once SAM has expanded it, and the front beside it.

A rule tells what is wrong, and nothing if all is well. For each there is something broken on purpose that it must tell
of. `.ci/sam` asks them all.
"""
from sam_rules import api, front, functions, keeping, sources  # noqa: F401
from sam_rules.stack import Stack, breakages, kebab, read, rules, templates  # noqa: F401
