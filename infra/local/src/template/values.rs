//! What the template's expressions come to in a stack, as a desk is one: what a function's environment
//! has, which pages may call the API, whether there is a stack at all.
//!
//! Conditions are looked at before the branches of an `!If`, and only one branch is. What a desk does not
//! know is an error that says where it stands.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value as Yaml};

use super::{Error, Template};
use crate::gateway::Cors;

/// What a stack on a desk is called.
const STACK_NAME: &str = "desk";

/// What is known of a stack.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// What parameters are given; the others are as the template has them.
    pub parameters: BTreeMap<String, String>,
    /// What `!Ref` of a resource is, by the resource's logical id; also of what a stack knows by itself
    /// (`AWS::Region`), where a desk is not meant.
    pub references: BTreeMap<String, String>,
    /// What `!GetAtt` is, by what follows it: `Seats.Arn`.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsConfiguration {
    allow_origins: Yaml,
    #[serde(default)]
    allow_methods: Yaml,
    #[serde(default)]
    allow_headers: Yaml,
    #[serde(default)]
    expose_headers: Yaml,
    max_age: Option<u32>,
    #[serde(default)]
    allow_credentials: bool,
}

impl Template {
    /// What a function is told, in its environment: what goes for all, and its own.
    ///
    /// # Errors
    ///
    /// If something in it is not known, or if a parameter is given that the template does not have.
    pub fn environment(
        &self,
        function: &str,
        values: &Values,
    ) -> Result<BTreeMap<String, String>, Error> {
        self.check_parameters(values)?;
        let own = self.resources.get(function).and_then(|it| it.get("Properties"));
        let mut environment = BTreeMap::new();
        for properties in [Some(&self.function_defaults), own].into_iter().flatten() {
            let variables = properties.get("Environment").and_then(|it| it.get("Variables"));
            for (name, value) in variables.and_then(Yaml::as_mapping).into_iter().flatten() {
                let name = name.as_str().ok_or("a variable's name is no text")?;
                let value = self.text(value, values);
                let value = value.map_err(|error| format!("{function}, {name}: {error}"))?;
                environment.insert(name.to_owned(), value);
            }
        }
        Ok(environment)
    }

    /// Whether CloudFormation begins a stack for which this is given: no rule is broken.
    ///
    /// # Errors
    ///
    /// If something in a rule is not known, or if a parameter is given that the template does not have.
    pub fn is_begun(&self, values: &Values) -> Result<bool, Error> {
        self.check_parameters(values)?;
        for rule in self.rules.values() {
            let condition = rule.get("RuleCondition");
            if !condition.map_or(Ok(true), |condition| self.holds(condition, values))? {
                continue;
            }
            let assertions = rule.get("Assertions").and_then(Yaml::as_sequence);
            for assertion in assertions.ok_or("a rule without Assertions")? {
                let asserted = assertion.get("Assert").ok_or("an assertion of nothing")?;
                if !self.holds(asserted, values)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What an output of the stack is.
    ///
    /// # Errors
    ///
    /// If there is no such output, or something in it is not known.
    pub fn output(&self, name: &str, values: &Values) -> Result<String, Error> {
        let value = self.outputs.get(name).and_then(|output| output.get("Value"));
        self.text(value.ok_or_else(|| format!("there is no output {name}"))?, values)
    }

    fn check_parameters(&self, values: &Values) -> Result<(), Error> {
        for given in values.parameters.keys() {
            if !self.parameters.contains_key(given.as_str()) {
                return Err(format!("{given} is no parameter of the template").into());
            }
        }
        Ok(())
    }

    /// Which pages may call the API, if the template says so.
    ///
    /// # Errors
    ///
    /// If something in it is not known.
    pub fn cors(&self, values: &Values) -> Result<Option<Cors>, Error> {
        let mut apis = self.resources_of("AWS::Serverless::HttpApi");
        let mut cors = apis.find_map(|(_, properties)| properties.get("CorsConfiguration"));
        while let Some((name, argument)) = cors.and_then(intrinsic) {
            cors = match (name.as_str(), argument.as_str()) {
                ("If", _) => Some(self.branch(argument, values)?),
                ("Ref", Some("AWS::NoValue")) => None,
                (other, _) => return Err(format!("a desk knows no {other} of CORS").into()),
            };
        }
        let Some(cors) = cors else { return Ok(None) };
        let cors: CorsConfiguration = serde_yaml_ng::from_value(cors.clone())?;
        let list = |list: &Yaml| self.list(list, values);
        Ok(Some(Cors {
            allow_origins: list(&cors.allow_origins)?,
            allow_methods: list(&cors.allow_methods)?,
            allow_headers: list(&cors.allow_headers)?,
            expose_headers: list(&cors.expose_headers)?,
            max_age_secs: cors.max_age,
            allow_credentials: cors.allow_credentials,
        }))
    }

    /// The text that a value is.
    fn text(&self, value: &Yaml, values: &Values) -> Result<String, Error> {
        let Some((name, argument)) = intrinsic(value) else { return plain(value) };
        match name.as_str() {
            "Ref" => self.reference(plain(argument)?.as_str(), values),
            "GetAtt" => attribute(&path(argument)?, values),
            "If" => self.text(self.branch(argument, values)?, values),
            "Sub" => self.substituted(argument.as_str().ok_or("a Sub of no text")?, values),
            other => Err(format!("a desk knows no {other} of a text").into()),
        }
    }

    /// The list that a value is.
    fn list(&self, value: &Yaml, values: &Values) -> Result<Vec<String>, Error> {
        match (intrinsic(value), value) {
            (None, Yaml::Null) => Ok(Vec::new()),
            (None, Yaml::Sequence(parts)) => {
                parts.iter().map(|part| self.text(part, values)).collect()
            }
            (Some((name, argument)), _) if name == "If" => {
                self.list(self.branch(argument, values)?, values)
            }
            (Some((name, argument)), _) if name == "Split" => {
                let [separator, text] = parts(argument)?;
                let (separator, text) = (plain(separator)?, self.text(text, values)?);
                Ok(text.split(&separator).map(str::to_owned).collect())
            }
            _something_else => Err(format!("{value:?} is no list that a desk knows").into()),
        }
    }

    /// What `!Ref` of this name is.
    fn reference(&self, name: &str, values: &Values) -> Result<String, Error> {
        let known = values.parameters.get(name).or_else(|| values.references.get(name));
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let pseudo = match name {
            "AWS::AccountId" => Some("000000000000"),
            "AWS::Partition" => Some("aws"),
            "AWS::Region" => Some("us-east-1"),
            "AWS::StackName" => Some(STACK_NAME),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _a_name_of_ours => None,
        };
        if let Some(pseudo) = pseudo {
            return Ok(pseudo.to_owned());
        }
        let default = self.parameters.get(name).and_then(|parameter| parameter.get("Default"));
        plain(default.ok_or_else(|| format!("a desk does not know what {name} is"))?)
    }

    /// A text with what stands in `${}` in its place. `${!X}` stays `${X}`.
    fn substituted(&self, text: &str, values: &Values) -> Result<String, Error> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').ok_or("a ${ without its }")?;
            match name.strip_prefix('!') {
                Some(literal) => whole.push_str(&format!("${{{literal}}}")),
                None if name.contains('.') => whole.push_str(&attribute(name, values)?),
                None => whole.push_str(&self.reference(name, values)?),
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }

    /// The branch of an `!If` that counts.
    fn branch<'a>(&self, argument: &'a Yaml, values: &Values) -> Result<&'a Yaml, Error> {
        let [condition, then, otherwise] = parts(argument)?;
        let holds = self.named_condition(&plain(condition)?, values)?;
        Ok(if holds { then } else { otherwise })
    }

    fn named_condition(&self, name: &str, values: &Values) -> Result<bool, Error> {
        let condition = self.conditions.get(name);
        let condition = condition.ok_or_else(|| format!("there is no condition {name}"))?;
        self.holds(condition, values)
    }

    /// Whether a condition holds.
    fn holds(&self, condition: &Yaml, values: &Values) -> Result<bool, Error> {
        let (name, argument) = intrinsic(condition).ok_or("a condition of no kind")?;
        let all = |argument: &Yaml| -> Result<Vec<bool>, Error> {
            let parts = argument.as_sequence().ok_or("a condition of no list")?;
            parts.iter().map(|part| self.holds(part, values)).collect()
        };
        match name.as_str() {
            "Condition" => self.named_condition(&plain(argument)?, values),
            "Equals" => {
                let [left, right] = parts(argument)?;
                Ok(self.text(left, values)? == self.text(right, values)?)
            }
            "Not" => Ok(!all(argument)?.contains(&true)),
            "And" => Ok(!all(argument)?.contains(&false)),
            "Or" => Ok(all(argument)?.contains(&true)),
            other => Err(format!("a desk knows no condition {other}").into()),
        }
    }
}

/// The name of a function of the template and its argument, if `value` is a call of one: `!Ref X`,
/// `{"Ref": X}`, `!If X` or `{"Fn::If": X}`.
fn intrinsic(value: &Yaml) -> Option<(String, &Yaml)> {
    match value {
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            Some((tag.trim_start_matches('!').to_owned(), &tagged.value))
        }
        Yaml::Mapping(mapping) if mapping.len() == 1 => called(mapping),
        _a_value => None,
    }
}

fn called(mapping: &Mapping) -> Option<(String, &Yaml)> {
    let (name, argument) = mapping.iter().next()?;
    let name = name.as_str()?;
    let short = name.strip_prefix("Fn::").unwrap_or(name);
    let is_call = short != name || ["Ref", "Condition"].contains(&name);
    is_call.then(|| (short.to_owned(), argument))
}

/// The arguments of a function that takes so many.
fn parts<const COUNT: usize>(argument: &Yaml) -> Result<[&Yaml; COUNT], Error> {
    let parts: Vec<&Yaml> = argument.as_sequence().into_iter().flatten().collect();
    parts.try_into().map_err(|_| format!("{argument:?} has not {COUNT} parts").into())
}

/// A text, a number or a truth, as text.
fn plain(value: &Yaml) -> Result<String, Error> {
    match value {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(truth) => Ok(truth.to_string()),
        other => Err(format!("{other:?} is no text").into()),
    }
}

/// `X.Arn` of `!GetAtt X.Arn`, or of `!GetAtt [X, Arn]`.
fn path(argument: &Yaml) -> Result<String, Error> {
    match argument.as_sequence() {
        Some(parts) => {
            let parts = parts.iter().map(plain).collect::<Result<Vec<_>, _>>()?;
            Ok(parts.join("."))
        }
        None => plain(argument),
    }
}

fn attribute(path: &str, values: &Values) -> Result<String, Error> {
    let known = values.attributes.get(path).cloned();
    known.ok_or_else(|| format!("a desk does not know what {path} is").into())
}
