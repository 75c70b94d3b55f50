"""What calls functions besides requests: queues, streams and schedules."""
import copy

from sam_rules.functions import POLLS
from sam_rules.stack import broken_by, listed, rule


@rule
def queues_and_streams_are_read_as_the_template_says(stack):
    mappings = {name: mapping["Properties"] for name, mapping in stack.all("AWS::Lambda::EventSourceMapping").items()}
    expected = {}
    for kind in POLLS:
        for function, event, said in stack.events(kind):
            said = copy.deepcopy(said)
            said["EventSourceArn"] = said.pop("Queue", None) or said.pop("Stream")
            said["FunctionName"] = {"Ref": function}
            for destination in said.get("DestinationConfig", {}).values():
                destination.pop("Type")
            expected[f"{function}{event}"] = said
    for name in mappings.keys() ^ expected.keys():
        yield f"{name} is in one of them only"
    for name in mappings.keys() & expected.keys():
        if mappings[name] != expected[name]:
            yield f"{name}: {mappings[name]}"


@broken_by(queues_and_streams_are_read_as_the_template_says, "a stream without its filter")
def _(stack):
    del stack.properties("ReleaseExpiredHoldsSeats")["FilterCriteria"]


# Each change of a seat is counted, and each of a reservation is told: nothing to leave out.
UNFILTERED = {"CountAvailableSeatsSeats", "PublishEventsReservations"}


@rule
def what_fails_comes_again_alone_and_is_kept_in_the_end(stack):
    for name, mapping in stack.all("AWS::Lambda::EventSourceMapping").items():
        said, function = mapping["Properties"], mapping["Properties"]["FunctionName"]["Ref"]
        if said.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} repeats a whole batch"
        of, attribute = said["EventSourceArn"]["Fn::GetAtt"]
        source = stack.properties(of)
        if attribute == "Arn":
            timeout = stack.properties(function)["Timeout"]
            # AWS, "Creating and configuring an Amazon SQS event source mapping".
            if source["VisibilityTimeout"] < 6 * timeout:
                yield f"{of} is seen again after {source['VisibilityTimeout']} s, and {name} may take {timeout} s"
            if "RedrivePolicy" not in source:
                yield f"{of} loses what fails"
            continue
        if not said.get("BisectBatchOnFunctionError") or said.get("StartingPosition") != "TRIM_HORIZON":
            yield f"{name} does not bisect, or not from the start"
        if ("FilterCriteria" in said) == (name in UNFILTERED):
            yield f"{name}: {said.get('FilterCriteria')}"
        destination = said.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", {}).get("Fn::GetAtt")
        if destination is None or stack.expanded["Resources"][destination[0]]["Type"] != "AWS::SQS::Queue":
            yield f"{name} loses what fails"
        elif not any("sqs:SendMessage" in listed(statement["Action"]) and {"Fn::GetAtt": destination} in
                     listed(statement["Resource"]) for statement in stack.statements(function)):
            yield f"{function} may not write to {destination[0]}"


@broken_by(what_fails_comes_again_alone_and_is_kept_in_the_end, "a queue that repeats whole batches")
def _(stack):
    del stack.properties("ProcessPaymentEventsQueue")["FunctionResponseTypes"]


@broken_by(what_fails_comes_again_alone_and_is_kept_in_the_end, "a stream that does not bisect")
def _(stack):
    stack.properties("RefundPaymentsPayments")["BisectBatchOnFunctionError"] = False


@broken_by(what_fails_comes_again_alone_and_is_kept_in_the_end, "a stream without a destination")
def _(stack):
    del stack.properties("ReleaseExpiredHoldsSeats")["DestinationConfig"]


@broken_by(what_fails_comes_again_alone_and_is_kept_in_the_end, "a destination that nobody may write to")
def _(stack):
    stack.properties("ReleaseExpiredHoldsRole")["Policies"] = []


@broken_by(what_fails_comes_again_alone_and_is_kept_in_the_end, "a queue that is seen again too soon")
def _(stack):
    stack.properties("PaymentEvents")["VisibilityTimeout"] = 60


@rule
def every_queue_is_encrypted_and_keeps_what_failed_for_two_weeks(stack):
    for name, queue in stack.all("AWS::SQS::Queue").items():
        said = queue["Properties"]
        if said.get("SqsManagedSseEnabled") is not True or said.get("MessageRetentionPeriod") != 14 * 24 * 60 * 60:
            yield f"{name}: {said}"


@broken_by(every_queue_is_encrypted_and_keeps_what_failed_for_two_weeks, "a dead-letter queue that forgets")
def _(stack):
    stack.properties("PaymentEventsFailed")["MessageRetentionPeriod"] = 3600


@rule
def every_schedule_may_call_its_function(stack):
    schedules = {name: rule["Properties"] for name, rule in stack.all("AWS::Events::Rule").items()}
    if set(schedules) != {f"{function}{event}" for function, event, _ in stack.events("Schedule")}:
        yield f"there are {sorted(schedules)}"
    for name, said in schedules.items():
        for target in said["Targets"]:
            function = target["Arn"]["Fn::GetAtt"][0]
            allowed = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": function},
                       "Principal": "events.amazonaws.com", "SourceArn": {"Fn::GetAtt": [name, "Arn"]}}
            if allowed not in [allowed["Properties"] for allowed in stack.all("AWS::Lambda::Permission").values()]:
                yield f"{name} may not call {function}"


@broken_by(every_schedule_may_call_its_function, "a schedule without a permission")
def _(stack):
    del stack.expanded["Resources"]["ReconcilePaymentsSchedulePermission"]
