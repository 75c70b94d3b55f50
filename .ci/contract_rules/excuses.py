"""Where an answer is right although a check of schemathesis says that it is not.

Every check is on. What is written here is all that is let pass, each with its reason, and only for the very answer that
it describes. An excuse that no answer needs is a mistake, too, unless it is rare: the stage fails.
"""
import json
import re
from typing import NamedTuple

from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import (
    MissingHeaderNotRejected, ObjectLevelAuthorizationViolation, RejectedPositiveData, UnsupportedMethodResponse,
    UseAfterFree)


class Excuse(NamedTuple):
    check: type
    status: int
    said: str  # A pattern of a problem's `code: detail`, or of a body that is no problem.
    reason: str
    operation: str = ".*"  # A pattern of `operationId access`, where access is the document's `x-access`.
    asked: str = ".*"  # A pattern of the address.
    is_rare: bool = False  # Whether a run may do without.


RULE = "well formed, but a rule of the house refuses it, and no schema says what there is"
EXCUSES = {
    "no such method": Excuse(
        UnsupportedMethodResponse, 404, r'\{"message":"Not Found"\}',
        "API Gateway answers 404 to a method that has no route, and the desk does as it does"),
    "428 is the refusal": Excuse(
        MissingHeaderNotRejected, 428, "precondition_required: .*",
        "without If-Match the answer is 428, which RFC 6585 made for it; the check knows only 400, 401, 403, 406, 422"),
    "412 is a refusal": Excuse(
        AcceptedNegativeData, 412, "precondition_failed: .*",
        "If-Match is looked at before the fields of the body are, so what is wrong twice is 412", is_rare=True),
    "layouts stay": Excuse(
        UseAfterFree, 200, ".*", "layouts outlive their auditorium, for the shows that were, as the document says",
        operation="getLayout .*", is_rare=True),
    "nothing is said": Excuse(
        AcceptedNegativeData, 200, ".*", "a parameter that is empty counts as absent, as the document says",
        asked=r".*[?&]\w+=(&.*)?", is_rare=True),
    "the house's own": Excuse(
        ObjectLevelAuthorizationViolation, 200, ".*",
        "what is under /api/admin belongs to the house, and every admin sees all of it",
        operation=".* admin", is_rare=True),
    "bytes that are no text": Excuse(
        RejectedPositiveData, 428, "precondition_required: .*", "an If-Match that is not of ASCII counts as absent",
        is_rare=True),
    "another version": Excuse(RejectedPositiveData, 412, "precondition_failed: .*", "an ETag that was made up"),
    "a cursor of one's own": Excuse(
        RejectedPositiveData, 400, "invalid_request: `cursor` is not one that this list gave",
        "a cursor that was made up"),
    "a signature of one's own": Excuse(
        RejectedPositiveData, 400, "invalid_signature: .*", "most webhooks here are signed by nobody", is_rare=True),
    "an event of nobody's": Excuse(
        RejectedPositiveData, 400, "invalid_request: the event: .*",
        "the schema leaves the event to its provider, and anything at all was signed", is_rare=True),
    "a ticket of one's own": Excuse(RejectedPositiveData, 400, "invalid_ticket: .*", "a ticket that was made up"),
    "1.0": Excuse(
        RejectedPositiveData, 400, r"invalid_request: the body: invalid type: floating point `\d+\.0`, .*",
        "JSON Schema has 1.0 for an integer; the document says that we do not", is_rare=True),
    "a number in a query": Excuse(
        RejectedPositiveData, 400, "invalid_request: a price is a whole number of minor units", "as `1.0` in a body",
        is_rare=True),
    "no time zone": Excuse(
        RejectedPositiveData, 400, "invalid_request: `.*` is not a time zone", "the IANA database is no schema"),
    "no slug": Excuse(
        RejectedPositiveData, 400, "invalid_request: the name has no letters or digits", "no pattern folds accents",
        is_rare=True),
    "another city's name": Excuse(
        RejectedPositiveData, 400, "invalid_request: `name` is the name of another city", RULE),
    "no day": Excuse(
        RejectedPositiveData, 400, "invalid_request: the body: a time is written as .*", "the 31st of June",
        is_rare=True),
    "a range of nothing": Excuse(
        RejectedPositiveData, 400, "invalid_request: the lowest price is above the highest",
        "no schema compares two parameters"),
    "an address grown long": Excuse(
        RejectedPositiveData, 400, "invalid_request: `url`: it has more than 2048 characters",
        "its length counts as it is answered, with a path"),
    "no such thing": Excuse(RejectedPositiveData, 422, "(unknown_reference|unknown_seats): .*", RULE, is_rare=True),
    "no such show": Excuse(RejectedPositiveData, 422, "(invalid_show|invalid_schedule): .*", RULE),
    "no such layout": Excuse(RejectedPositiveData, 422, "invalid_layout: .*", RULE),
    "no such hold": Excuse(
        RejectedPositiveData, 422, "(hold_token_reused|too_many_seats|orphan_seats|accessible_seats): .*", RULE,
        is_rare=True),
    "no such payment": Excuse(RejectedPositiveData, 422, "payment_mismatch: .*", RULE, is_rare=True),
    "a payment that failed": Excuse(
        RejectedPositiveData, 402, "payment_failed: .*", "the hooks let some payments fail", is_rare=True),
}


def excuse_for(failure, case, response):
    """The name of the excuse for this failure, if there is one."""
    raw = case.operation.definition.raw
    operation = f"{raw['operationId']} {raw['x-access']}"
    texts = {"said": said(response), "operation": operation, "asked": response.request.url}
    for name, excuse in EXCUSES.items():
        is_meant = isinstance(failure, excuse.check) and response.status_code == excuse.status
        if is_meant and all(re.fullmatch(getattr(excuse, of), text, re.DOTALL) for of, text in texts.items()):
            return name
    return None


def said(response):
    text = response.content.decode(errors="replace")
    try:
        problem = json.loads(text)
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return text
