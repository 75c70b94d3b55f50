"""Condition expressions of DynamoDB: read, and changed one thing at a time.

A tree is text (a comparison or a function, as it stands) or a list: ["AND", tree, …], ["OR", tree, …], ["NOT", tree],
["IN", operand, value, …].
"""
import re
from typing import NamedTuple

TOKEN = re.compile(r"\s*(<=|>=|<>|[<>=(),]|[:#]?[A-Za-z_][\w.]*)")
COMPARISONS = {"<=": "<", "<": "<=", ">=": ">", ">": ">=", "=": "<>", "<>": "="}
OPPOSITES = {"attribute_exists": "attribute_not_exists", "attribute_not_exists": "attribute_exists"}
# What holds for every item, and where there is none.
ALWAYS = "attribute_exists(pk) OR attribute_not_exists(pk)"


class Change(NamedTuple):
    """Another expression, and what is other about it. What is `gross` is noticed wherever the expression stands, so one
    place is as good as all."""

    instead: str
    what: str
    gross: bool


def read(text):
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"no condition that can be read, from here: {text[at:]}")
        tokens.append(found[1])
        at = found.end()
    tree = Reader(tokens).whole()
    if re.sub(r"[\s()]", "", written(tree)) != re.sub(r"[\s()]", "", text):
        raise ValueError(f"it was read as {written(tree)}: {text}")
    return tree


class Reader:
    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0

    def next(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected=None):
        token = self.next()
        if token is None or expected not in (None, token):
            raise ValueError(f"{expected or 'something'} is missing behind {' '.join(self.tokens[:self.at])}")
        self.at += 1
        return token

    def whole(self):
        tree = self.joined("OR", lambda: self.joined("AND", self.one))
        if self.next() is not None:
            raise ValueError(f"too much: {' '.join(self.tokens[self.at:])}")
        return tree

    def joined(self, word, part):
        parts = [part()]
        while self.next() == word:
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else [word, *parts]

    def one(self):
        first = self.take()
        if first == "NOT":
            return ["NOT", self.one()]
        if first == "(":
            inner = self.joined("OR", lambda: self.joined("AND", self.one))
            self.take(")")
            return inner
        if self.next() == "(":
            return f"{first}({', '.join(self.values())})"
        if self.next() == "IN":
            self.take()
            return ["IN", first, *self.values()]
        comparison = self.take()
        if comparison not in COMPARISONS:
            raise ValueError(f"no comparison: {comparison}")
        return f"{first} {comparison} {self.take()}"

    def values(self):
        self.take("(")
        values = [self.take()]
        while self.next() == ",":
            self.take()
            values.append(self.take())
        self.take(")")
        return values


def written(tree):
    if isinstance(tree, str):
        return tree
    word, *parts = tree
    if word == "IN":
        return f"{parts[0]} IN ({', '.join(parts[1:])})"
    loose = {"AND": ("OR",), "OR": ("AND",), "NOT": ("AND", "OR")}[word]
    texts = [f"({written(part)})" if part[0] in loose else written(part) for part in parts]
    return f"NOT {texts[0]}" if word == "NOT" else f" {word} ".join(texts)


def changes(text):
    """Everything that can be other about an expression, one thing at a time."""
    found = [Change(written(tree), what, gross) for tree, what, gross in others(read(text))]
    found.append(Change(ALWAYS, "nothing is asked", False))
    unique = {}
    for change in found:
        unique.setdefault(change.instead, change)
    return list(unique.values())


def others(tree):
    if isinstance(tree, str):
        yield from other_leaves(tree)
        return
    word, *parts = tree
    if word == "IN":
        for value in parts[1:] if len(parts) > 2 else []:
            yield [word, *(part for part in parts if part != value)], f"without {value}", False
        return
    if word == "NOT":
        yield parts[0], "without NOT", True
    for number, part in enumerate(parts):
        before, after = parts[:number], parts[number + 1:]
        if word != "NOT":
            left = [*before, *after]
            yield left[0] if len(left) == 1 else [word, *left], f"without {written(part)}", False
        for other, what, gross in others(part):
            yield [word, *before, other, *after], what, gross


def other_leaves(leaf):
    function = re.match(r"(\w+)\(", leaf)
    if function and function[1] in OPPOSITES:
        other = OPPOSITES[function[1]] + leaf[function.end(1):]
        yield other, f"{leaf} becomes {OPPOSITES[function[1]]}", True
    elif not function:
        left, comparison, right = leaf.split(" ")
        other = COMPARISONS[comparison]
        yield f"{left} {other} {right}", f"{leaf} becomes {other}", comparison in ("=", "<>")
