"""What functions are, what they may do, and what they are told."""
import json
import re

from sam_rules.stack import ROOT, broken_by, chosen, kebab, listed, of_type, rule


BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRACES = "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
POLLS = {
    "SQS": "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
    "DynamoDB": "arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole",
}


@rule
def every_function_runs_logs_and_is_traced_as_all_do(stack):
    alike = {
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Architectures": [{"Ref": "Architecture"}],
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogGroup": {"Ref": "FunctionLogs"}},
    }
    for name, function in stack.functions().items():
        for key, expected in alike.items():
            if function.get(key) != expected:
                yield f"{name}: {key} is {function.get(key)}"


@broken_by(every_function_runs_logs_and_is_traced_as_all_do, "a function for one architecture")
def _(stack):
    stack.properties("HoldSeats")["Architectures"] = ["arm64"]


@broken_by(every_function_runs_logs_and_is_traced_as_all_do, "a function without traces")
def _(stack):
    del stack.properties("SendEmails")["TracingConfig"]


@broken_by(every_function_runs_logs_and_is_traced_as_all_do, "a function that logs elsewhere")
def _(stack):
    del stack.properties("ListCities")["LoggingConfig"]


@rule
def every_function_is_built_from_the_folder_of_its_name(stack):
    for name, function in of_type(stack.source, "AWS::Serverless::Function").items():
        built = function.get("Metadata", {})
        expected = {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": kebab(name)}}
        if built != expected or function["Properties"]["CodeUri"] != f"functions/{kebab(name)}/":
            yield f"{name}: {built} from {function['Properties']['CodeUri']}"
        if not (ROOT / "functions" / kebab(name) / "Cargo.toml").exists():
            yield f"{name} has no folder"


@broken_by(every_function_is_built_from_the_folder_of_its_name, "a function that is another one's binary")
def _(stack):
    stack.source["Resources"]["HoldSeats"]["Metadata"]["BuildProperties"]["Binary"] = "list-cities"


@rule
def every_role_is_one_functions_and_bounded(stack):
    functions = stack.functions()
    for name, function in functions.items():
        if function["Role"] != {"Fn::GetAtt": [f"{name}Role", "Arn"]}:
            yield f"{name} runs as {function['Role']}"
    for name, role in stack.all("AWS::IAM::Role").items():
        trusted = [principal for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                   for principal in listed(statement["Principal"].get("Service"))]
        if name.removesuffix("Role") not in functions or trusted != ["lambda.amazonaws.com"]:
            yield f"{name} is trusted to {trusted}"
        if role["Properties"].get("PermissionsBoundary") != {"Ref": "Boundary"}:
            yield f"{name} has no boundary"


@broken_by(every_role_is_one_functions_and_bounded, "a role without the boundary")
def _(stack):
    del stack.properties("HoldSeatsRole")["PermissionsBoundary"]


@broken_by(every_role_is_one_functions_and_bounded, "a function in another one's role")
def _(stack):
    stack.properties("ListCities")["Role"] = {"Fn::GetAtt": ["RefundPaymentsRole", "Arn"]}


@rule
def policies_of_aws_are_only_to_log_to_trace_and_to_poll_what_it_reads(stack):
    reads = {kind: {function for function, _, _ in stack.events(kind)} for kind in POLLS}
    for name in stack.functions():
        expected = {BASIC, TRACES} | {policy for kind, policy in POLLS.items() if name in reads[kind]}
        got = stack.properties(f"{name}Role").get("ManagedPolicyArns", [])
        if set(got) != expected:
            yield f"{name}: {sorted(set(got) ^ expected)}"


@broken_by(policies_of_aws_are_only_to_log_to_trace_and_to_poll_what_it_reads, "a function that may read all queues")
def _(stack):
    stack.properties("HoldSeatsRole")["ManagedPolicyArns"].append(POLLS["SQS"])


# One each, which has several names.
ACTIONS_OF_A_KEY = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}


@rule
def no_policy_of_ours_is_for_everything(stack):
    policies = {name: list(stack.statements(name)) for name in stack.functions()}
    for name, policy in stack.all("AWS::IAM::ManagedPolicy").items():
        policies[name] = policy["Properties"]["PolicyDocument"]["Statement"]
    for name, statements in policies.items():
        if not statements:
            yield f"{name} has none"
        for statement in statements:
            actions, resources = listed(statement.get("Action", "*")), listed(statement.get("Resource", "*"))
            many = any("*" in action for action in set(actions) - ACTIONS_OF_A_KEY)
            # Traces belong to no resource.
            traces = name == "Boundary" and all(action.startswith("xray:Put") for action in actions)
            if statement["Effect"] != "Allow" or many or ("*" in resources and not traces):
                yield f"{name}: {statement}"
            # Which of the account's keys Lambda takes for an environment, nobody knows before it is there.
            any_key = any(json.dumps(resource).endswith(':key/*"}') for resource in resources)
            by_lambda = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "lambda.${AWS::Region}.${AWS::URLSuffix}"}}}
            if any_key and (name, actions, statement.get("Condition")) != ("Boundary", ["kms:Decrypt"], by_lambda):
                yield f"{name}: {statement}"


@broken_by(no_policy_of_ours_is_for_everything, "a function that may read every table")
def _(stack):
    next(stack.statements("HoldSeats"))["Resource"] = "*"


@broken_by(no_policy_of_ours_is_for_everything, "a function that may do anything to a table")
def _(stack):
    next(stack.statements("HoldSeats"))["Action"] = ["dynamodb:*"]


@broken_by(no_policy_of_ours_is_for_everything, "a boundary that bounds nothing")
def _(stack):
    stack.properties("Boundary")["PolicyDocument"]["Statement"][0]["Resource"] = "*"


@broken_by(no_policy_of_ours_is_for_everything, "a boundary with all keys in it, whoever asks for them")
def _(stack):
    for statement in stack.properties("Boundary")["PolicyDocument"]["Statement"]:
        statement.pop("Condition", None)


LOOKS_SECRET = re.compile(r"(SECRET|PASSWORD|TOKEN|KEY)(?!.*(_ID|_URL)$)")
# Of a parameter: nothing, or one reference and nothing around it.
REFERENCE = r"^(\{\{resolve:secretsmanager:[^}]+\}\})?$"


@rule
def no_secret_is_written_down(stack):
    parameters = stack.expanded["Parameters"]
    referring = {name for name, said in parameters.items() if said.get("AllowedPattern") == REFERENCE}
    for name, said in parameters.items():
        if name in referring and said.get("Default", "") != "":
            yield f"{name} has a default"
        if "NoEcho" in said:
            yield f"{name} is hidden, and may be the secret itself"
    behind_the_front = {function for function, _, _ in stack.events("HttpApi")}
    for function, said in stack.functions().items():
        variables = said["Environment"]["Variables"]
        for variable, value in variables.items():
            for value in chosen(value):
                reference = value.get("Fn::Sub", "") if isinstance(value, dict) else value
                is_given = isinstance(value, dict) and value.get("Ref") in referring
                is_secret = is_given or reference.startswith("{{resolve:secretsmanager:")
                if LOOKS_SECRET.search(variable) and not is_secret:
                    yield f"{function}: {variable} is {value}"
                if is_secret and not LOOKS_SECRET.search(variable):
                    yield f"{function}: {variable} does not look as secret as it is"
                # What is the same in every stack is in the code.
                if isinstance(value, str) and value not in ("", "true", "false", "cognito:groups"):
                    yield f"{function}: {variable} is the text {value!r}"
        if ("FRONT_SECRET" in variables) != (function in behind_the_front):
            yield f"{function}: FRONT_SECRET is for what answers requests"


@broken_by(no_secret_is_written_down, "a secret in plain text")
def _(stack):
    stack.properties("HoldSeats")["Environment"]["Variables"]["JWT_SECRET"] = "a secret of thirty-two characters"


@broken_by(no_secret_is_written_down, "a secret that everybody may read")
def _(stack):
    stack.expanded["Parameters"]["JwtSecret"]["AllowedPattern"] = "^(.{32,})?$"


@broken_by(no_secret_is_written_down, "a secret that is hidden")
def _(stack):
    stack.expanded["Parameters"]["TicketSecret"]["NoEcho"] = True


@broken_by(no_secret_is_written_down, "a secret by default")
def _(stack):
    stack.expanded["Parameters"]["FrontSecret"]["Default"] = "x" * 32


@broken_by(no_secret_is_written_down, "a function that believes everybody to be the front")
def _(stack):
    del stack.properties("ListCities")["Environment"]["Variables"]["FRONT_SECRET"]
