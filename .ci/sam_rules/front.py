"""The front: what it keeps, whom it lets in, and what it says of them."""
import fnmatch
import re

from sam_rules.stack import broken_by, operations, resolve, rule


KEEPS, KEEPS_NOTHING = {"Ref": "Catalogue"}, "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def distribution(stack):
    return stack.front["Resources"]["Distribution"]["Properties"]["DistributionConfig"]


@rule
def the_front_keeps_what_the_document_says_that_anybody_may_and_nothing_else(stack):
    behaviours = distribution(stack)["CacheBehaviors"]
    for method, path, operation in operations(stack.api):
        sample = re.sub("{[^}]+}", "x", path)
        fits = [behaviour for behaviour in behaviours if fnmatch.fnmatchcase(sample, behaviour["PathPattern"])]
        behaviour = (fits or [distribution(stack)["DefaultCacheBehavior"]])[0]
        headers = resolve(stack.api, operation["responses"].get("200", {})).get("headers", {})
        freshness = resolve(stack.api, headers.get("Cache-Control", {})).get("schema", {}).get("const", "")
        may = freshness.startswith("public, max-age=")
        if behaviour["CachePolicyId"] != (KEEPS if may else KEEPS_NOTHING):
            yield f"{method} {path}: {behaviour['CachePolicyId']}"
        if may and operation["x-access"] != "public":
            yield f"{method} {path} is for some only, and anybody may keep it"
        if method.upper() not in behaviour["AllowedMethods"]:
            yield f"{method} {path} does not get through"
    policy = stack.front["Resources"]["Catalogue"]["Properties"]["CachePolicyConfig"]
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    asked = [policy["MinTTL"], policy["DefaultTTL"], key["QueryStringsConfig"]["QueryStringBehavior"],
             key["CookiesConfig"]["CookieBehavior"], key["HeadersConfig"].get("Headers")]
    if asked != [0, 0, "all", "none", ["origin"]]:
        yield f"it is kept by {policy}"
    # All that it can be told for, but 416, which it never keeps (AWS, "Control how long CloudFront caches errors").
    errors = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in distribution(stack)["CustomErrorResponses"]}
    if errors != dict.fromkeys([400, 403, 404, 405, 414, 500, 501, 502, 503, 504], 0):
        yield f"errors are kept: {errors}"


@broken_by(the_front_keeps_what_the_document_says_that_anybody_may_and_nothing_else, "seats as they were")
def _(stack):
    del distribution(stack)["CacheBehaviors"][0]


@broken_by(the_front_keeps_what_the_document_says_that_anybody_may_and_nothing_else, "reservations that are kept")
def _(stack):
    distribution(stack)["DefaultCacheBehavior"]["CachePolicyId"] = KEEPS


@broken_by(the_front_keeps_what_the_document_says_that_anybody_may_and_nothing_else, "a 404 that is kept")
def _(stack):
    del distribution(stack)["CustomErrorResponses"][2]


@rule
def nobody_comes_around_the_front_or_says_for_it_where_they_come_from(stack):
    resources = stack.front["Resources"]
    proof = {"HeaderName": "x-front-secret", "HeaderValue": {"Ref": "FrontSecret"}}
    if distribution(stack)["Origins"][0]["OriginCustomHeaders"] != [proof]:
        yield "the front proves itself by nothing"
    if distribution(stack).get("WebACLId") != {"Fn::GetAtt": ["Firewall", "Arn"]}:
        yield "the front has no firewall"
    code = "event.request.headers['x-viewer-address'] = { value: event.viewer.ip };"
    if code not in resources["ViewerAddress"]["Properties"]["FunctionCode"]:
        yield "the front does not say where a request came from"
    writes = [{"EventType": "viewer-request",
               "FunctionARN": {"Fn::GetAtt": ["ViewerAddress", "FunctionMetadata.FunctionARN"]}}]
    for behaviour in [distribution(stack)["DefaultCacheBehavior"], *distribution(stack)["CacheBehaviors"]]:
        if behaviour.get("FunctionAssociations") != writes:
            yield f"not for {behaviour.get('PathPattern', 'all others')}"
    looks = {look["Name"]: look["Statement"] for look in resources["Firewall"]["Properties"]["Rules"]}
    common = looks["Common"]["ManagedRuleGroupStatement"]
    for name, statement in [("Rate", looks["Rate"]["RateBasedStatement"]), ("Common", common)]:
        but = statement.get("ScopeDownStatement", {}).get("NotStatement", {}).get("Statement", {})
        if but.get("ByteMatchStatement", {}).get("SearchString") != "/api/payments/webhooks/":
            yield f"{name} is for webhooks too"
    if {"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}} not in common["RuleActionOverrides"]:
        yield "no schedule gets through"


@broken_by(nobody_comes_around_the_front_or_says_for_it_where_they_come_from, "a front that does not say who asks")
def _(stack):
    del distribution(stack)["CacheBehaviors"][1]["FunctionAssociations"]


@broken_by(nobody_comes_around_the_front_or_says_for_it_where_they_come_from, "a firewall that stops schedules")
def _(stack):
    firewall = stack.front["Resources"]["Firewall"]["Properties"]
    firewall["Rules"][3]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"] = []
