"""What is kept, what it is called, and whether it all fits."""
import json
from pathlib import Path

from sam_rules.stack import broken_by, of_type, parts_of, rule


@rule
def every_log_group_is_encrypted_and_ends(stack):
    for template in [stack.expanded, *stack.parts.values()]:
        for name, group in of_type(template, "AWS::Logs::LogGroup").items():
            for key, expected in [("RetentionInDays", {"Ref": "LogRetentionDays"}), ("KmsKeyId", None)]:
                got = group["Properties"].get(key)
                if got is None or expected not in (None, got):
                    yield f"{name}: {key} is {got}"


@broken_by(every_log_group_is_encrypted_and_ends, "a log that is kept for ever")
def _(stack):
    del stack.properties("FunctionLogs")["RetentionInDays"]


KEPT = {"AWS::DynamoDB::Table": 6, "AWS::KMS::Key": 2, "AWS::SecretsManager::Secret": 1, "AWS::Cognito::UserPool": 1}


@rule
def what_cannot_be_had_again_outlives_the_stack(stack):
    for kind, count in KEPT.items():
        kept = {name: said for template in [stack.expanded, *stack.parts.values()]
                for name, said in of_type(template, kind).items()}
        if len(kept) != count:
            yield f"{len(kept)} of {kind}"
        for name, said in kept.items():
            # But for a deployment that failed at making it.
            kept_by = said.get("DeletionPolicy"), said.get("UpdateReplacePolicy")
            if kept_by != ("RetainExceptOnCreate", "Retain"):
                yield f"{name} goes with the stack, or stays of one that never was: {kept_by}"
            if kind == "AWS::KMS::Key" and said["Properties"].get("EnableKeyRotation") is not True:
                yield f"{name} stays the same"
    for name, table in stack.all("AWS::DynamoDB::Table").items():
        said = table["Properties"]
        encrypted = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Fn::GetAtt": ["DataKey", "Arn"]}}
        if said.get("SSESpecification") != encrypted:
            yield f"{name} is encrypted by {said.get('SSESpecification')}"
        if said.get("DeletionProtectionEnabled") != {"Fn::If": ["Production", True, False]}:
            yield f"{name} may be deleted in prod"
        if said.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name} cannot be restored"


@broken_by(what_cannot_be_had_again_outlives_the_stack, "a table that goes with the stack")
def _(stack):
    del stack.expanded["Resources"]["Seats"]["DeletionPolicy"]


@broken_by(what_cannot_be_had_again_outlives_the_stack, "a key that goes with the stack")
def _(stack):
    stack.expanded["Resources"]["DataKey"]["DeletionPolicy"] = "Delete"


@broken_by(what_cannot_be_had_again_outlives_the_stack, "a secret of a stack that never was")
def _(stack):
    stack.expanded["Resources"]["TicketKey"]["DeletionPolicy"] = "Retain"


@broken_by(what_cannot_be_had_again_outlives_the_stack, "users that go with the stack")
def _(stack):
    del stack.parts["identity.yaml"]["Resources"]["UserPool"]["UpdateReplacePolicy"]


@broken_by(what_cannot_be_had_again_outlives_the_stack, "a table under AWS's own key")
def _(stack):
    stack.properties("Payments")["SSESpecification"] = {"SSEEnabled": True}


NAMES = {"Name", "AliasName", "FunctionName", "LogGroupName", "QueueName", "RoleName", "TableName", "ManagedPolicyName"}


@rule
def two_stacks_fight_for_no_name(stack):
    for file, template in [("template.yaml", stack.expanded), *stack.parts.items()]:
        for name, resource in template["Resources"].items():
            for key in NAMES & resource.get("Properties", {}).keys():
                value = resource["Properties"][key]
                if isinstance(value, str) or ("Fn::Sub" in value and "${AWS::StackName}" not in value["Fn::Sub"]):
                    yield f"{file}: {name} is called {value}"


@broken_by(two_stacks_fight_for_no_name, "a queue with a name of its own")
def _(stack):
    stack.properties("PaymentEvents")["QueueName"] = "payment-events"


# What nearly every function has, by the parameter that it is of.
NEVER_BOTH = {"FRONT_SECRET": "FrontSecret", "JWT_SECRET": "JwtSecret"}


@rule
def all_of_it_fits_what_aws_takes(stack):
    """CloudFormation quotas, Lambda quotas, and IAM and AWS STS quotas."""
    for file, template in [("template.yaml", stack.expanded), *stack.parts.items()]:
        for section, most in [("Resources", 500), ("Parameters", 200), ("Outputs", 200)]:
            if len(template.get(section, {})) >= most:
                yield f"{file}: {len(template[section])} of {section}"
        if len(json.dumps(template, default=str)) >= 1_000_000:
            yield f"{file} is too large"
    for name, function in stack.functions().items():
        size = stack.length(function["Environment"]["Variables"])
        if size > 4096:
            yield f"{name}: its environment has some {size} bytes"
        if stack.length(stack.properties(f"{name}Role").get("Policies", [])) > 10_240:
            yield f"{name}: its policies are too large"
    for name, policy in stack.all("AWS::IAM::ManagedPolicy").items():
        size = stack.length(policy["Properties"]["PolicyDocument"])
        if size > 6_144:
            yield f"{name} has some {size} characters"
    # One for each place that it is in, whatever it is a reference to.
    variables = [name for function in stack.functions().values() for name in function["Environment"]["Variables"]]
    tickets = variables.count("TICKET_SECRET") + variables.count("TICKET_SECRET_PREVIOUS")
    for name in NEVER_BOTH:
        if variables.count(name) + tickets > 60:
            yield f"with {name} there are {variables.count(name) + tickets} references"
    never_both = {"Fn::Or": [{"Fn::Equals": [{"Ref": name}, ""]} for name in NEVER_BOTH.values()]}
    always = [each for each in stack.expanded["Rules"].values() if "RuleCondition" not in each]
    if never_both not in [said["Assert"] for each in always for said in each["Assertions"]]:
        yield f"{' and '.join(NEVER_BOTH)} are too many references"


@broken_by(all_of_it_fits_what_aws_takes, "a boundary that is too large")
def _(stack):
    statements = stack.properties("Boundary")["PolicyDocument"]["Statement"]
    statements += statements


@broken_by(all_of_it_fits_what_aws_takes, "a boundary for a shorter name")
def _(stack):
    stack.longest_name = 128


@broken_by(all_of_it_fits_what_aws_takes, "a secret in too many places")
def _(stack):
    for function in stack.functions().values():
        function["Environment"]["Variables"]["TICKET_SECRET"] = {"Ref": "TicketSecret"}


@broken_by(all_of_it_fits_what_aws_takes, "two secrets in nearly every function")
def _(stack):
    del stack.expanded["Rules"]["ReferencesAreFewEnough"]


@broken_by(all_of_it_fits_what_aws_takes, "too many resources")
def _(stack):
    stack.expanded["Resources"] |= {f"More{n}": {"Type": "AWS::SQS::Queue", "Properties": {}} for n in range(300)}


@rule
def parts_are_given_what_they_ask_for_and_asked_for_what_they_have(stack):
    nested = {}
    for name, part in stack.all("AWS::CloudFormation::Stack").items():
        nested[name] = stack.parts[Path(part["Properties"]["TemplateURL"]).name]
        given, asked = part["Properties"].get("Parameters", {}).keys(), nested[name].get("Parameters", {}).keys()
        if given != asked:
            yield f"{name}: {sorted(given ^ asked)}"
    for value in parts_of(stack.expanded):
        name, attribute = (value.get("Fn::GetAtt") or [None, ""])[:2] if isinstance(value, dict) else [None, ""]
        if name in nested and attribute.removeprefix("Outputs.") not in nested[name].get("Outputs", {}):
            yield f"{name} has no {attribute}"


@broken_by(parts_are_given_what_they_ask_for_and_asked_for_what_they_have, "an output that there is not")
def _(stack):
    del stack.parts["identity.yaml"]["Outputs"]["JwksUrl"]


@broken_by(parts_are_given_what_they_ask_for_and_asked_for_what_they_have, "a parameter that is not given")
def _(stack):
    del stack.properties("Identity")["Parameters"]["Stage"]
