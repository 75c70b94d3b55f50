"""Follows every link of openapi.yaml, each from a beginning of its own.

Schemathesis follows links at random, and gets to some of them. Here each is reached, by the shortest way from something
that can be asked out of the blue, and what it leads to must succeed. Requests are the document's examples, with what
links say put over them; every answer on the way goes through the checks of schemathesis.
"""
import copy
import itertools
import time

import schemathesis

from contract_rules import hooks

SECONDS_TO_APPEAR = 20  # Lists of reservations and events, and the post, are a moment behind.


class Walk:
    def __init__(self, document, url, token):
        self.document = document
        self.schema = schemathesis.openapi.from_dict(document)
        self.url, self.authorization = url, {"Authorization": f"Bearer {token}"}
        self.operations = {operation["operationId"]: operation for item in document["paths"].values()
                           for operation in item.values() if "operationId" in operation}
        self.fresh = itertools.count(1)
        self.answers = []  # (operation, status)

    def links(self):
        for source, operation in self.operations.items():
            for status, response in operation["responses"].items():
                for name, link in response.get("links", {}).items():
                    yield source, status, name, link

    def ways(self):
        """For each link the links before it and itself: from what makes something if that leads there, or else from a
        list. What no link leads to is a way of no steps. With each way goes where it ends."""
        lists = ("list", "search")
        targets = {link["operationId"] for source, _, _, link in self.links() if link["operationId"] != source}
        alone = [operation for operation in self.operations if operation not in targets]
        beginnings = [operation for operation in self.operations if operation in alone or operation.startswith(lists)]
        reached = {}
        for kind in ("create", ""):
            reached |= {source: [] for source in beginnings if source.startswith(kind) and source not in reached}
            grows = True
            while grows:
                grows = False
                for step in self.links():
                    source, target = step[0], step[3]["operationId"]
                    if source in reached and target not in reached and not target.startswith(lists):
                        reached[target] = [*reached[source], step]
                        grows = True
        followed = [([*reached[step[0]], step], step[3]["operationId"]) for step in self.links()]
        return followed + [([], operation) for operation in alone]

    def go(self, way, end):
        """Goes this way. The last answer must be a success."""
        given, name = {}, way[-1][2] if way else None
        for operation_id, wanted, step_name, link in [*way, (end, None, None, None)]:
            case, response = self.ask(operation_id, given, wanted, end, name)
            status = response.status_code
            is_right = str(status) == wanted if wanted else status < 400 and (name != "unchanged" or status == 304)
            if not is_right:
                return f"{operation_id} answers {status}: {response.text}"
            if link:
                given = self.given(link, case, response)
                if given is None:
                    return f"{operation_id} does not say what the link {step_name} needs: {response.text}"
        return None

    def given(self, link, case, response):
        """What a link takes from an answer."""
        def value(expression):
            if isinstance(expression, list):
                return [value(part) for part in expression]
            place, _, pointer = expression.partition("#")
            if place.startswith("$response.header."):
                return response.headers[place.removeprefix("$response.header.").lower()][0]
            found = response.json() if place == "$response.body" else case.body
            for key in pointer.strip("/").split("/"):
                found = found[int(key)] if isinstance(found, list) else found[key]
            return found
        try:
            parameters = {key: value(expression) for key, expression in link.get("parameters", {}).items()}
            return {"parameters": parameters,
                    "body": {key: value(expression) for key, expression in link.get("requestBody", {}).items()}}
        except (KeyError, IndexError):
            return None

    def ask(self, operation_id, given, wanted, end, name):
        operation = self.schema.find_operation_by_id(operation_id)
        case = operation.Case(path_parameters={}, query={}, headers={}, media_type="application/json")
        self.fill(case, operation_id, wanted, end, name)
        if isinstance(case.body, dict):
            case.body |= given.get("body", {})
        for key, value in given.get("parameters", {}).items():
            place = next(self.resolved(parameter)["in"] for parameter in self.operations[operation_id]["parameters"]
                         if self.resolved(parameter)["name"] == key)
            {"path": case.path_parameters, "query": case.query, "header": case.headers}[place][key] = str(value)
        if operation_id == "confirmReservation" and wanted != "202":
            hooks.ask(f"/sandbox/pay/{case.body['paymentReference']}", "outcome=succeed")
        response = case.call(base_url=self.url, headers=self.authorization)
        case.validate_response(response, headers=self.authorization)
        self.answers.append((operation_id, response.status_code))
        return case, response

    def fill(self, case, operation_id, wanted, end, name):
        """The document's example, leant to what there is, and new where it makes something."""
        number = next(self.fresh)
        if "requestBody" in self.operations[operation_id]:
            case.body = {"number": number}
            hooks.as_documented(case)
        for parameter in map(self.resolved, self.operations[operation_id].get("parameters", [])):
            if parameter["in"] == "query" and parameter.get("required"):
                case.query[parameter["name"]] = str(parameter["example"])
        if operation_id != "holdSeats":
            hooks.LEANINGS.get(operation_id, lambda case: None)(case)
        if operation_id == "createCity":
            case.body["name"] = f"Town {number}"
        if name == "nextPage":
            case.query["limit"] = "1"
        if operation_id in ("createShow", "updateShow") and end == "deleteShow":
            case.body["status"] = "SCHEDULED"
        if operation_id == "cancelShow":
            case.body["dryRun"] = wanted != "202"

    def resolved(self, parameter):
        shared = self.document["components"]["parameters"]
        return shared[parameter["$ref"].split("/")[-1]] if "$ref" in parameter else parameter


def walk(document, url, token):
    """Follows all links. Answers what was asked and answered, the number of links, and what is wrong."""
    hooks.BY_CHANCE = False
    walk = Walk(document, url, token)
    # What the other examples speak of.
    for operation_id in ("createTheatre", "createAuditorium", "createSubscription"):
        body = next(iter(walk.operations[operation_id]["requestBody"]["content"].values()))["examples"]
        case = walk.schema.find_operation_by_id(operation_id).Case(
            body=copy.deepcopy(next(iter(body.values()))["value"]), media_type="application/json")
        case.call_and_validate(base_url=url, headers=walk.authorization)
    wrong = []
    ways = walk.ways()
    for way, end in ways:
        last = time.monotonic() + SECONDS_TO_APPEAR
        is_behind = (way[0][0] if way else end).startswith(("list", "scan"))
        while (said := walk.go(way, end)) and is_behind and time.monotonic() < last:
            time.sleep(0.5)
        if said:
            wrong.append(" -> ".join([*(step[0] for step in way), end]) + f": {said}")
    return walk.answers, sum(bool(way) for way, _ in ways), wrong
