"""Which requests reach which function, and what is said of them."""
import json
import re

from sam_rules.stack import broken_by, chosen, operations, resolve, rule


@rule
def the_api_has_the_documents_routes_each_with_its_function_and_no_others(stack):
    body = stack.properties("Api")["Body"]["paths"]
    got = {(method, path): json.dumps(said["x-amazon-apigateway-integration"])
           for path, methods in body.items() for method, said in methods.items()}
    expected = {(method, path): operation["operationId"] for method, path, operation in operations(stack.api)}
    for route in got.keys() ^ expected.keys():
        yield f"{route} is in one of them only"
    for route in got.keys() & expected.keys():
        function = expected[route][0].upper() + expected[route][1:]
        if f"functions/${{{function}.Arn}}/invocations" not in got[route] or '"2.0"' not in got[route]:
            yield f"{route}: {got[route]}"


@broken_by(the_api_has_the_documents_routes_each_with_its_function_and_no_others, "a route that nobody knows")
def _(stack):
    paths = stack.properties("Api")["Body"]["paths"]
    paths["/api/debug"] = paths["/api/cities"]


@broken_by(the_api_has_the_documents_routes_each_with_its_function_and_no_others, "a route that is missing")
def _(stack):
    del stack.properties("Api")["Body"]["paths"]["/api/reservations/hold"]


@broken_by(the_api_has_the_documents_routes_each_with_its_function_and_no_others, "a route with another one's function")
def _(stack):
    paths = stack.properties("Api")["Body"]["paths"]
    paths["/api/reservations/hold"] = paths["/api/reservations/confirm"]


@rule
def pages_elsewhere_may_send_and_read_what_the_document_has(stack):
    said = list(chosen(stack.properties("Api")["Body"].get("x-amazon-apigateway-cors")))
    if len(said) != 1 or not isinstance(said[0], dict) or not said[0].get("allowOrigins"):
        yield f"CORS is {said}"
        return
    sent, told, methods = {"authorization", "content-type"}, set(), set()
    for method, _, operation in operations(stack.api):
        # No page is a payment provider.
        if operation["x-access"] == "signature":
            continue
        methods.add(method.upper())
        parameters = [resolve(stack.api, parameter) for parameter in operation.get("parameters", [])]
        sent |= {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}
        for answer in operation["responses"].values():
            told |= {header.lower() for header in resolve(stack.api, answer).get("headers", {})}
    # Those that a page may read without being told so (Fetch, "CORS-safelisted response-header name").
    told -= {"cache-control", "content-length", "content-type", "expires", "last-modified"}
    cors = said[0]
    for key, expected in [("allowMethods", methods), ("allowHeaders", sent), ("exposeHeaders", told)]:
        if set(cors.get(key, [])) != expected:
            yield f"{key} is {cors.get(key)}, and not {sorted(expected)}"
    if cors.get("allowCredentials"):
        yield "a browser would send what a page does not know"


@broken_by(pages_elsewhere_may_send_and_read_what_the_document_has, "no CORS")
def _(stack):
    del stack.properties("Api")["Body"]["x-amazon-apigateway-cors"]


@broken_by(pages_elsewhere_may_send_and_read_what_the_document_has, "CORS without a header")
def _(stack):
    for cors in chosen(stack.properties("Api")["Body"]["x-amazon-apigateway-cors"]):
        cors["allowHeaders"].remove("if-match")


@rule
def every_request_is_limited_and_logged_without_its_token(stack):
    stages = list(stack.all("AWS::ApiGatewayV2::Stage").values())
    if len(stages) != 1:
        yield f"{len(stages)} stages"
    for stage in stages:
        said = stage["Properties"]
        for key in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            if "Ref" not in said.get("DefaultRouteSettings", {}).get(key, {}):
                yield f"no {key}"
        logged = said.get("AccessLogSettings", {})
        if logged.get("DestinationArn") != {"Fn::GetAtt": ["AccessLogs", "Arn"]}:
            yield f"it logs to {logged.get('DestinationArn')}"
        line = json.loads(logged.get("Format", "{}"))
        if not line or any(re.search("(?i)authori[sz]|header|querystring", value) for value in line.values()):
            yield f"it logs {line}"


@broken_by(every_request_is_limited_and_logged_without_its_token, "an API without a log")
def _(stack):
    del stack.properties("ApiApiGatewayDefaultStage")["AccessLogSettings"]


@broken_by(every_request_is_limited_and_logged_without_its_token, "an API without a limit")
def _(stack):
    del stack.properties("ApiApiGatewayDefaultStage")["DefaultRouteSettings"]


@rule
def every_permission_names_the_one_route_or_schedule_that_may_call(stack):
    routes = {}
    for function, _, said in stack.events("HttpApi"):
        routes[function] = f"/{said['Method']}{re.sub('{[^}]+}', '*', said['Path'])}"
    called = []
    for name, permission in stack.all("AWS::Lambda::Permission").items():
        said = permission["Properties"]
        function, source = said["FunctionName"]["Ref"], said.get("SourceArn", {})
        if said["Principal"] == "apigateway.amazonaws.com":
            called.append(function)
            text, names = source.get("Fn::Sub", ["", {}])
            if names.get("__ApiId__") != {"Ref": "Api"} or not text.endswith(f"/${{__Stage__}}{routes.get(function)}"):
                yield f"{name}: {text}"
        elif said["Principal"] != "events.amazonaws.com" or "Fn::GetAtt" not in source:
            yield f"{name}: {said['Principal']} by {source}"
    if sorted(called) != sorted(routes):
        yield f"{sorted(set(called) ^ set(routes))}: a route without a permission, or the other way around"


@broken_by(every_permission_names_the_one_route_or_schedule_that_may_call, "a function that every API may call")
def _(stack):
    del stack.properties("HoldSeatsHttpPermission")["SourceArn"]


@broken_by(every_permission_names_the_one_route_or_schedule_that_may_call, "a function that every route may call")
def _(stack):
    stack.properties("HoldSeatsHttpPermission")["SourceArn"]["Fn::Sub"][0] = "${__ApiId__}/${__Stage__}/*"
