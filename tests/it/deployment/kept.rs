//! What the stack keeps: encrypted by its own key, and there when the stack is gone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{identity, resources, template};

/// Whether a resource is there after its stack, and after a change that puts another in its place; but not
/// after a deployment that failed at making it.
fn outlives_its_stack(resource: &Value) -> bool {
    resource["DeletionPolicy"] == "RetainExceptOnCreate"
        && resource["UpdateReplacePolicy"] == "Retain"
}

/// Goal: what was sold is not lost, by whatever mistake.
#[test]
fn tables_are_encrypted_and_outlive_mistakes() {
    let document = template();
    let mut tables = 0;
    for (id, table) in resources(&document, "AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        let key = json!({"GetAtt": "DataKey.Arn"});
        let encryption = json!({"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key});
        assert_eq!(properties["SSESpecification"], encryption, "{id}");
        let recovery = &properties["PointInTimeRecoverySpecification"];
        assert_eq!(recovery, &json!({"PointInTimeRecoveryEnabled": true}), "{id}");
        let protection = json!({"If": ["Production", true, false]});
        assert_eq!(properties["DeletionProtectionEnabled"], protection, "{id}");
        assert!(outlives_its_stack(table), "{id}");
        tables += 1;
    }
    assert_eq!(tables, 6);
}

/// Goal: nobody needs a right to the key, and nobody gets anything by it but what a service of this account
/// decrypts for them.
#[test]
fn the_key_is_for_services_of_this_account() {
    let document = template();
    let key = &document["Resources"]["DataKey"];
    assert!(outlives_its_stack(key) && key["Properties"]["EnableKeyRotation"] == true);
    let mut for_everybody = 0;
    for statement in key["Properties"]["KeyPolicy"]["Statement"].as_array().unwrap() {
        if statement["Principal"] == json!({"AWS": "*"}) {
            let condition = &statement["Condition"]["StringEquals"];
            assert_eq!(condition["kms:CallerAccount"], json!({"Ref": "AWS::AccountId"}));
            let services = ["dynamodb", "secretsmanager"]
                .map(|name| json!({"Sub": format!("{name}.${{AWS::Region}}.${{AWS::URLSuffix}}")}));
            assert_eq!(condition["kms:ViaService"], json!(services));
            for_everybody += 1;
        }
    }
    assert_eq!(for_everybody, 1);
}

/// Goal: logs are encrypted, and go when their time is over.
#[test]
fn logs_are_encrypted_and_do_not_stay() {
    let document = template();
    let key = &document["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"];
    let mut encrypted = BTreeSet::new();
    for statement in key.as_array().unwrap() {
        let groups = &statement["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"];
        for group in groups.as_array().into_iter().flatten() {
            let (_, name) = group["Sub"].as_str().unwrap().split_once(":log-group:").unwrap();
            encrypted.insert(name);
        }
    }
    let mut there = BTreeSet::new();
    for (id, group) in resources(&document, "AWS::Logs::LogGroup") {
        let properties = &group["Properties"];
        assert_eq!(properties["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{id}");
        assert_eq!(properties["KmsKeyId"], json!({"GetAtt": "DataKey.Arn"}), "{id}");
        there.insert(properties["LogGroupName"]["Sub"].as_str().unwrap());
    }
    assert_eq!(encrypted, there);
    let of_functions = &document["Globals"]["Function"]["LoggingConfig"];
    assert_eq!(of_functions, &json!({"LogGroup": {"Ref": "FunctionLogs"}}));
}

/// Goal: tickets that are out there let in, and customers are who they were, whatever becomes of the stack.
#[test]
fn the_ticket_key_and_the_user_pool_outlive_the_stack() {
    let document = template();
    let key = &document["Resources"]["TicketKey"];
    assert!(outlives_its_stack(key) && key["Condition"] == "MakesTicketKey");
    assert_eq!(key["Properties"]["KmsKeyId"], json!({"GetAtt": "DataKey.Arn"}));
    let part = identity();
    let (_, pool) = resources(&part, "AWS::Cognito::UserPool").next().unwrap();
    assert!(outlives_its_stack(pool));
    let protection = json!({"If": ["Production", "ACTIVE", "INACTIVE"]});
    assert_eq!(pool["Properties"]["DeletionProtection"], protection);
}

/// Goal: no client has a secret that it cannot keep, and no password goes over a wire but by the house's own
/// hands.
#[test]
fn customers_sign_in_by_a_client_that_has_no_secret() {
    let part = identity();
    let (_, client) = resources(&part, "AWS::Cognito::UserPoolClient").next().unwrap();
    let client = &client["Properties"];
    assert_eq!(client["GenerateSecret"], false);
    assert_eq!(client["EnableTokenRevocation"], true);
    assert_eq!(client["PreventUserExistenceErrors"], "ENABLED");
    let flows: BTreeSet<&str> =
        client["ExplicitAuthFlows"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let expected =
        ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"];
    assert_eq!(flows, BTreeSet::from(expected));
    assert_eq!(client["AllowedOAuthFlows"]["If"][1], json!(["code"]), "and never implicit");
    // The roles that the edge knows, as groups.
    let groups = resources(&part, "AWS::Cognito::UserPoolGroup");
    let groups = groups.map(|(_, group)| group["Properties"]["GroupName"].as_str().unwrap());
    let roles = [edge::Role::Admin, edge::Role::User].map(edge::Role::as_str);
    assert_eq!(groups.collect::<BTreeSet<_>>(), BTreeSet::from(roles));
}

/// Goal: what waits in a queue is encrypted there and on its way.
#[test]
fn queues_take_nothing_in_the_clear() {
    let document = template();
    let mut queues = BTreeSet::new();
    for (id, queue) in resources(&document, "AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{id}");
        queues.insert(id);
    }
    let (_, policy) = resources(&document, "AWS::SQS::QueuePolicy").next().unwrap();
    let policy = &policy["Properties"];
    let named = policy["Queues"].as_array().unwrap().iter();
    assert_eq!(named.map(|queue| queue["Ref"].as_str().unwrap()).collect::<BTreeSet<_>>(), queues);
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Deny");
    assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
}
