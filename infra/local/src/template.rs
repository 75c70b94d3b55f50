//! `template.yaml`, as far as a desk needs it: routes, tables, what else calls functions, and what
//! functions are told.

mod events;
mod values;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification,
};
use aws_sdk_dynamodb::{Client, operation::create_table::CreateTableError};
use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

pub use events::{QueueSource, Source, StreamSource, matches};
pub use values::Values;

/// The template that is deployed, as it was when this was built.
pub const TEXT: &str = include_str!("../../../template.yaml");

/// Anything that goes wrong on a desk ends the program with its message.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The template.
#[derive(Debug, Clone)]
pub struct Template {
    parameters: Mapping,
    rules: Mapping,
    conditions: Mapping,
    resources: Mapping,
    outputs: Mapping,
    function_defaults: Value,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The method, in capitals.
    pub method: String,
    /// The path, with parameters in braces.
    pub path: String,
    /// The function's logical id, as `HoldSeats`.
    pub function: String,
}

impl Route {
    /// The parameters that a path has on this route; nothing if it is not on it.
    fn parameters_of(&self, method: &str, path: &str) -> Option<BTreeMap<String, String>> {
        let (ours, theirs) = (self.path.split('/'), path.split('/'));
        if self.method != method || ours.clone().count() != theirs.clone().count() {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for (ours, theirs) in ours.zip(theirs) {
            match ours.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => drop(parameters.insert(name.to_owned(), theirs.to_owned())),
                None if ours == theirs => {}
                None => return None,
            }
        }
        Some(parameters)
    }

    /// The route that API Gateway chooses for a path, and its parameters: of those that fit the most
    /// specific one, which has the fewest parameters.
    #[must_use]
    pub fn chosen<'a>(
        routes: &'a [Self],
        method: &str,
        path: &str,
    ) -> Option<(&'a Self, BTreeMap<String, String>)> {
        let fit = |route: &'a Self| Some((route, route.parameters_of(method, path)?));
        routes.iter().filter_map(fit).min_by_key(|(_, parameters)| parameters.len())
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its logical id, as `Seats`.
    pub id: String,
    properties: TableProperties,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    stream_specification: Option<Stream>,
    time_to_live_specification: Option<TimeToLive>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
    projection: IndexProjection,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IndexProjection {
    projection_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stream {
    stream_view_type: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
}

impl Template {
    /// Reads [`TEXT`].
    ///
    /// # Errors
    ///
    /// If it is no template.
    pub fn read() -> Result<Self, Error> {
        Self::parse(TEXT)
    }

    /// Reads a template that is written like [`TEXT`].
    ///
    /// # Errors
    ///
    /// If it is no template.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let template: Value = serde_yaml_ng::from_str(text)?;
        let section = |name| template.get(name).and_then(Value::as_mapping).cloned();
        let defaults = template.get("Globals").and_then(|globals| globals.get("Function"));
        Ok(Self {
            parameters: section("Parameters").unwrap_or_default(),
            rules: section("Rules").unwrap_or_default(),
            conditions: section("Conditions").unwrap_or_default(),
            resources: section("Resources").ok_or("the template has no Resources")?,
            outputs: section("Outputs").unwrap_or_default(),
            function_defaults: defaults.cloned().unwrap_or_default(),
        })
    }

    fn resources_of(&self, kind: &str) -> impl Iterator<Item = (String, &Value)> {
        self.resources.iter().filter_map(move |(id, resource)| {
            let is_of_kind = resource.get("Type").and_then(Value::as_str) == Some(kind);
            Some((id.as_str()?.to_owned(), resource.get("Properties")?)).filter(|_| is_of_kind)
        })
    }

    /// The events of every function, each with the function's logical id.
    fn events(&self) -> impl Iterator<Item = (String, &Value)> {
        self.resources_of("AWS::Serverless::Function").flat_map(|(function, properties)| {
            let events = properties.get("Events").and_then(Value::as_mapping);
            let events = events.into_iter().flat_map(Mapping::values);
            events.map(move |event| (function.clone(), event))
        })
    }

    /// The functions, by their logical ids.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        self.resources_of("AWS::Serverless::Function").map(|(id, _)| id).collect()
    }

    /// The name of a function's binary, as `hold-seats`.
    ///
    /// # Errors
    ///
    /// If there is no such function, or it does not say.
    pub fn binary(&self, function: &str) -> Result<&str, Error> {
        let metadata = self.resources.get(function).and_then(|it| it.get("Metadata"));
        let build = metadata.and_then(|metadata| metadata.get("BuildProperties"));
        let binary = build.and_then(|build| build.get("Binary")).and_then(Value::as_str);
        binary.ok_or_else(|| format!("{function} does not say what its Binary is called").into())
    }

    /// Megabytes that a function has.
    ///
    /// # Errors
    ///
    /// If it is no whole number of them.
    pub fn memory_mb(&self, function: &str) -> Result<u32, Error> {
        // What Lambda gives a function that does not say.
        let Some(memory) = self.of_function(function, "MemorySize") else { return Ok(128) };
        let memory = memory.as_u64().and_then(|memory| memory.try_into().ok());
        memory.ok_or_else(|| format!("the MemorySize of {function} is no whole number").into())
    }

    /// A property of a function: its own, or else what goes for all.
    fn of_function(&self, function: &str, property: &str) -> Option<&Value> {
        let function = self.resources.get(function).and_then(|it| it.get("Properties"));
        let own = function.and_then(|properties| properties.get(property));
        own.or_else(|| self.function_defaults.get(property))
    }

    /// The routes of the HTTP API.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let routes = self.events().filter_map(|(function, event)| {
            let text = |name| event.get("Properties")?.get(name)?.as_str();
            let (method, path) = (text("Method")?.to_uppercase(), text("Path")?.to_owned());
            Some(Route { method, path, function })
        });
        routes.collect()
    }

    /// The tables.
    ///
    /// # Errors
    ///
    /// If one is not described as expected.
    pub fn tables(&self) -> Result<Vec<Table>, Error> {
        let tables = self.resources_of("AWS::DynamoDB::Table");
        tables
            .map(|(id, properties)| {
                let properties = serde_yaml_ng::from_value(properties.clone())?;
                Ok(Table { id, properties })
            })
            .collect()
    }
}

impl Table {
    /// Makes the table, under `name`, unless it is there. Returns when it can be used.
    ///
    /// # Errors
    ///
    /// Those of `CreateTable`, `DescribeTable` and `UpdateTimeToLive`.
    pub async fn create(&self, client: &Client, name: &str, streams: bool) -> Result<(), Error> {
        let attributes = self.properties.attribute_definitions.iter().map(|attribute| {
            AttributeDefinition::builder()
                .attribute_name(&attribute.attribute_name)
                .attribute_type(ScalarAttributeType::from(attribute.attribute_type.as_str()))
                .build()
        });
        let indexes = self.properties.global_secondary_indexes.iter().map(|index| {
            let projection = index.projection.projection_type.as_str();
            let projection = ProjectionType::from(projection);
            GlobalSecondaryIndex::builder()
                .index_name(&index.index_name)
                .set_key_schema(Some(keys(&index.key_schema)?))
                .projection(Projection::builder().projection_type(projection).build())
                .build()
        });
        let indexes = indexes.collect::<Result<Vec<_>, _>>()?;
        let stream = self.properties.stream_specification.as_ref().filter(|_| streams);
        let stream = stream.map(|stream| {
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::from(stream.stream_view_type.as_str()))
                .build()
        });
        let created = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes.collect::<Result<_, _>>()?))
            .set_key_schema(Some(keys(&self.properties.key_schema)?))
            .set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty()))
            .set_stream_specification(stream.transpose()?)
            .send()
            .await;
        match created.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) => {}
            Err(CreateTableError::ResourceInUseException(_)) => {
                return crate::dynamodb::until_active(client, name).await;
            }
            Err(error) => return Err(DisplayErrorContext(error).to_string().into()),
        }
        crate::dynamodb::until_active(client, name).await?;
        if let Some(ttl) = &self.properties.time_to_live_specification {
            let ttl = TimeToLiveSpecification::builder()
                .enabled(true)
                .attribute_name(&ttl.attribute_name)
                .build()?;
            let update = client.update_time_to_live().table_name(name);
            update.time_to_live_specification(ttl).send().await?;
        }
        Ok(())
    }
}

fn keys(schema: &[Key]) -> Result<Vec<KeySchemaElement>, aws_sdk_dynamodb::error::BuildError> {
    let keys = schema.iter().map(|key| {
        KeySchemaElement::builder()
            .attribute_name(&key.attribute_name)
            .key_type(KeyType::from(key.key_type.as_str()))
            .build()
    });
    keys.collect()
}
