"""The template, what SAM makes of it, and the ways to look at both."""
import copy
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def templates():
    return [ROOT / "template.yaml", *sorted((ROOT / "infra").glob("*.yaml"))]


def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class NoPolicies:
    """In place of SAM's list of the account's managed policies: ours are written out."""

    def load(self):
        return {}


def read(file):
    from samcli.yamlhelper import yaml_parse

    return yaml_parse(file.read_text())


def expand(source):
    """What SAM makes of the template. `sam deploy` has put the packages into a bucket before."""
    from samtranslator.translator.transform import transform as translate

    packaged = copy.deepcopy(source)
    for name, function in of_type(packaged, "AWS::Serverless::Function").items():
        function["Properties"]["CodeUri"] = f"s3://packages/{kebab(name)}"
    return json.loads(json.dumps(translate(packaged, {}, NoPolicies(), passthrough_metadata=True)))


# As long as they get.
LONGEST = {"AWS::Partition": "aws-us-gov", "AWS::Region": "ap-southeast-1", "AWS::AccountId": "123456789012",
           "AWS::URLSuffix": "amazonaws.com.cn", "PaymentSecret": "x" * 64}
ARN = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"


class Stack:
    """The template, what SAM makes of it, its parts, the front, and what the API says of itself."""

    # With a longer one the boundary would not fit. README.md says so.
    longest_name = 100

    def __init__(self):
        self.source = read(ROOT / "template.yaml")
        self.expanded = expand(self.source)
        self.parts = {file.name: read(file) for file in templates()[1:]}
        self.front = self.parts["front.yaml"]
        self.api = read(ROOT / "openapi.yaml")

    def all(self, kind):
        return of_type(self.expanded, kind)

    def properties(self, name):
        return self.expanded["Resources"][name]["Properties"]

    def functions(self):
        return {name: function["Properties"] for name, function in self.all("AWS::Lambda::Function").items()}

    def events(self, kind):
        """Function, name and properties of each event of a kind, as the template has them."""
        for name, function in of_type(self.source, "AWS::Serverless::Function").items():
            for event, said in function["Properties"]["Events"].items():
                if said["Type"] == kind:
                    yield name, event, said["Properties"]

    def statements(self, function):
        for policy in self.properties(f"{function}Role").get("Policies", []):
            yield from listed(policy["PolicyDocument"]["Statement"])

    def length(self, value):
        """How long a value gets as JSON without blanks, where names are as long as they may be."""
        return len(json.dumps(self.written(value), separators=(",", ":")))

    def written(self, value):
        if isinstance(value, list):
            return [self.written(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        function, of = next(iter(value.items()), ("", None))
        match function:
            case "Ref":
                return LONGEST.get(of, "x" * self.longest_name if of == "AWS::StackName" else "x" * 100)
            case "Fn::GetAtt":
                # What CloudFormation makes of the stack's name, the resource's and 13 characters.
                name = f"{'x' * self.longest_name}-{of[0]}-{'x' * 13}"
                is_queue = self.expanded["Resources"][of[0]]["Type"] == "AWS::SQS::Queue"
                return self.written({"Fn::Sub": f"{ARN}{name[:80] if is_queue else name}"})
            case "Fn::Sub":
                named = lambda found: {"Fn::GetAtt": found[1].split(".")} if "." in found[1] else {"Ref": found[1]}
                text = of if isinstance(of, str) else of[0]
                return re.sub(r"\$\{([^}]+)\}", lambda found: self.written(named(found)), text)
            case "Fn::If":
                return max((self.written(branch) for branch in of[1:]), key=lambda branch: len(json.dumps(branch)))
        return {name: self.written(inner) for name, inner in value.items()}


def of_type(template, kind):
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


def parts_of(value):
    """A value and all that is in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from parts_of(inner)


def chosen(value):
    """All that a value may become by its conditions."""
    if isinstance(value, dict) and "Fn::If" in value:
        for branch in value["Fn::If"][1:]:
            yield from chosen(branch)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


rules, breakages = [], []


def rule(function):
    rules.append(function)
    return function


def broken_by(of, what):
    """Something that `of` must tell of."""

    def note(change):
        breakages.append((of, what, change))
        return change

    return note


def operations(api):
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolve(api, value):
    while "$ref" in value:
        found = api
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value
