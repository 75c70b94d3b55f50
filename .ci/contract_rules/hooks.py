"""The world around the API, as schemathesis plays with it.

A schema says what a request looks like. It cannot say what is on this week, when a show may begin, that somebody pays,
what came by post or what a provider signs. These hooks do. They choose by a hash of what is asked, so that the same
seed does the same.
"""
import base64
import copy
import hashlib
import hmac
import json
import os
import re
import time
import urllib.request
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import schemathesis

from contract_rules.excuses import excuse_for

DESK, SECRET = os.environ["MARQUEE_URL"], os.environ["MARQUEE_WEBHOOK_SECRET"]
EXCUSED = Path(os.environ["MARQUEE_EXCUSED"])
STARTED = datetime.now(timezone.utc)
BY_CHANCE = True  # Whether customers pay, and webhooks are signed.
BEGINNINGS = 4_000  # Four hours apart; a show may begin within two years.
TICKET = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
NEW_IDS = {"createMovie": "movieId", "createTheatre": "theatreId", "createAuditorium": "auditoriumId",
           "createShow": "showId", "holdSeats": "holdToken", "scanTicket": "scanId"}


def chosen(of, *what):
    """A number below `of`, the same for the same request."""
    return zlib.crc32(json.dumps(what, sort_keys=True, default=str).encode()) % of


def ask(path, form=None):
    request = urllib.request.Request(DESK + path, form and form.encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def operation_id(case):
    return case.operation.definition.raw["operationId"]


def is_valid(case, *phases):
    meta = case.meta
    return meta is not None and meta.generation.mode.is_positive and meta.phase.name.value in phases


@schemathesis.hook
def filter_failure(context, failure, case, response):
    name = excuse_for(failure, case, response)
    if name is not None:
        with EXCUSED.open("a") as file:
            print(name, file=file)
    return name is None


@schemathesis.hook
def map_case(context, case):
    """Three of four valid requests are such as the house and its customers make. The others are anything."""
    if is_valid(case, "fuzzing", "stateful") and chosen(4, case.body, case.query, case.headers):
        as_documented(case)
        LEANINGS.get(operation_id(case), lambda case: None)(case)
    elif is_valid(case, "examples"):
        LEANINGS.get(operation_id(case), lambda case: None)(case)
    return case


def as_documented(case):
    """The document's own example, under an id of its own."""
    drawn = chosen(2**32, case.body)
    content = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    examples = list(content.get(case.media_type, {}).get("examples", {}).values())
    if examples:
        case.body = copy.deepcopy(examples[drawn % len(examples)]["value"])
    key = NEW_IDS.get(operation_id(case))
    if key is not None and isinstance(case.body, dict):
        case.body[key] = f"{key}-{drawn:x}"


def tidy_search(case):
    """The demo's shows are on for a week."""
    day = STARTED + timedelta(days=1 + chosen(5, case.query, "day"))
    case.query = {"city": "Delhi", "date": f"{day:%Y-%m-%d}", "available": "true"}


def any_of_few_seats(case):
    case.query = {"count": 1 + chosen(3, case.query)}


def seats_that_are_sold(case):
    """One of the week's shows at the Odeon, which has five rows of eight. A link has the last word."""
    day = STARTED + timedelta(days=1 + chosen(5, case.body, "day"))
    hour = ["1100", "1500", "1900", "2230"][chosen(4, case.body, "hour")]
    seat = "ABCDE"[chosen(5, case.body, "row")] + str(1 + chosen(8, case.body, "number"))
    case.body = {"showId": f"odeon-delhi-{day:%Y-%m-%d}-{hour}", "seatIds": [seat], "holdToken": case.body["holdToken"]}


def show_to_come(case):
    if isinstance(case.body, dict):
        for show in case.body.get("shows", [case.body]):
            begin = STARTED + timedelta(days=1, hours=4 * chosen(BEGINNINGS, case.headers, show))
            show["startsAt"] = begin.strftime("%Y-%m-%dT%H:%M:00Z")
            if "shows" in case.body:
                show["showId"] = f"scheduled-{chosen(2**32, begin)}"


def ticket_from_the_post(case):
    """A ticket is in the customer's letter, and nowhere in the API."""
    tickets = TICKET.findall(ask("/local/mailbox"))
    if tickets:
        case.body["ticket"] = tickets[chosen(len(tickets), case.body)]
        del case.body["showId"]


LEANINGS = {
    "searchShows": tidy_search,
    "getBestSeats": any_of_few_seats,
    "holdSeats": seats_that_are_sold,
    "createShow": show_to_come,
    "updateShow": show_to_come,
    "loadSchedule": show_to_come,
    "scanTicket": ticket_from_the_post,
}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Half of what is sent to the sandbox's webhook is signed as it signs, so that it is read."""
    if operation_id(case) != "receivePaymentWebhook":
        return
    is_lucky = is_valid(case, "examples", "coverage", "fuzzing") and chosen(2, case.body, case.headers)
    if is_lucky or not BY_CHANCE:
        sent = json.dumps(case.body)
        identifier, now = f"msg-{chosen(2**32, sent)}", str(int(time.time()))
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        signature = hmac.new(key, f"{identifier}.{now}.{sent}".encode(), hashlib.sha256).digest()
        case.path_parameters = {"provider": "sandbox"}
        case.headers.update({"webhook-id": identifier, "webhook-timestamp": now,
                             "webhook-signature": f"v1,{base64.b64encode(signature).decode()}"})


@schemathesis.hook
def after_call(context, case, response):
    """Of four customers, two pay, the bank of one refuses, and one waits."""
    if BY_CHANCE and operation_id(case) == "checkoutReservation" and response.status_code == 200:
        due = json.loads(response.content)
        outcome = ["fail", "succeed", "succeed", None][chosen(4, due["reservationId"])]
        if outcome is not None:
            ask(f"/sandbox/pay/{due['paymentReference']}", f"outcome={outcome}")
