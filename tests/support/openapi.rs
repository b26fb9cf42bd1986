//! The API's description as a judge of exchanges.
//!
//! Requests are held to it strictly: a property or query parameter that it does not have is a fault, since they are
//! ours. Answers may hold more than it says, but must hold what it requires, with a status that it names.

use super::exchange::Exchange;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The vendored description, below the cloud prefix, and what is described beside it.
const DESCRIPTIONS: [(&str, &str); 2] = [
    (
        "/jsm/csm/cloudid/{cloudId}",
        include_str!("../contract/csm-openapi.yaml"),
    ),
    ("", include_str!("../contract/beyond-openapi.yaml")),
];

/// Every operation of both descriptions.
pub(crate) static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::read);

pub(crate) struct Description {
    operations: Vec<Operation>,
}

/// One operation, with all it takes to judge an exchange.
pub(crate) struct Operation {
    /// Its `operationId`.
    pub(crate) id: String,
    method: String,
    /// Segments of the path; those in braces fit anything.
    path: Vec<String>,
    parameters: Vec<Parameter>,
    /// `None` where it takes no body.
    body: Option<Validator>,
    /// By status; `None` for an answer without content.
    answers: BTreeMap<u16, Option<Validator>>,
}

struct Parameter {
    name: String,
    place: String,
    required: bool,
    is_integer: bool,
    schema: Validator,
}

impl Description {
    fn read() -> Self {
        let mut operations = Vec::new();
        for (prefix, text) in DESCRIPTIONS {
            let document: Value = serde_saphyr::from_str(text).expect("YAML");
            let document = Document(document);
            let paths = document.0["paths"].as_object().expect("paths");
            for (path, methods) in paths {
                let path = format!("{prefix}{path}");
                for (method, operation) in methods.as_object().expect("methods") {
                    operations.push(document.operation(&path, method, operation));
                }
            }
        }
        Self { operations }
    }

    /// The ids of all operations.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|operation| &*operation.id)
    }

    /// The operation of an exchange: of several whose path fits, the one with the fewest parameters.
    pub(crate) fn operation(&self, exchange: &Exchange) -> Option<&Operation> {
        let segments: Vec<_> = exchange.path.split('/').collect();
        let fits = |operation: &&Operation| {
            operation.method == exchange.method
                && operation.path.len() == segments.len()
                && operation
                    .path
                    .iter()
                    .zip(&segments)
                    .all(|(template, segment)| {
                        template == segment || is_open(template) && !segment.is_empty()
                    })
        };
        let open = |operation: &&Operation| {
            operation
                .path
                .iter()
                .filter(|segment| is_open(segment))
                .count()
        };
        self.operations.iter().filter(fits).min_by_key(open)
    }

    /// What is wrong with an exchange; nothing, if it is as described.
    pub(crate) fn faults(&self, exchange: &Exchange) -> Vec<String> {
        let Some(operation) = self.operation(exchange) else {
            return vec!["the description has no such operation".to_owned()];
        };
        let mut faults = operation.faults_of_request(exchange);
        if let Some(status) = exchange.status {
            faults.extend(operation.faults_of_answer(exchange, status));
        }
        faults
    }
}

fn is_open(segment: &str) -> bool {
    segment.starts_with('{')
}

impl Operation {
    fn faults_of_request(&self, exchange: &Exchange) -> Vec<String> {
        let mut faults = Vec::new();
        let query: Vec<_> = url::form_urlencoded::parse(exchange.query.as_bytes()).collect();
        for parameter in &self.parameters {
            let value = match &*parameter.place {
                "query" => query
                    .iter()
                    .find(|(name, _)| *name == parameter.name)
                    .map(|(_, value)| value.to_string()),
                "header" => exchange
                    .headers
                    .get(&parameter.name.to_ascii_lowercase())
                    .cloned(),
                // the path fits, so it has them
                _ => continue,
            };
            let called = format!("{} {}", parameter.place, parameter.name);
            match value {
                Some(value) => {
                    let value = match value.parse::<i64>() {
                        Ok(number) if parameter.is_integer => json!(number),
                        _ => json!(value),
                    };
                    faults.extend(errors(&called, &parameter.schema, &value));
                }
                None if parameter.required => faults.push(format!("{called} is missing")),
                None => {}
            }
        }
        for (name, _) in &query {
            let known =
                |parameter: &Parameter| parameter.place == "query" && parameter.name == *name;
            if !self.parameters.iter().any(known) {
                faults.push(format!("query {name} is not described"));
            }
        }
        match (&self.body, &*exchange.body) {
            (None, "") => {}
            (None, _) => faults.push("it takes no body".to_owned()),
            // refused before it was read
            (Some(_), "") if exchange.status.is_some_and(|status| status >= 400) => {}
            (Some(schema), body) => match serde_json::from_str(body) {
                Ok(value) => faults.extend(errors("the request", schema, &value)),
                Err(error) => faults.push(format!("the request is no JSON: {error}")),
            },
        }
        faults
    }

    fn faults_of_answer(&self, exchange: &Exchange, status: u16) -> Vec<String> {
        match self.answers.get(&status) {
            None => vec![format!("the status {status} is not described")],
            Some(None) if exchange.answer.is_empty() => Vec::new(),
            // a description without schema allows any JSON, but not after 204
            Some(None) if status != 204 => Vec::new(),
            Some(None) => vec!["the answer should have no body".to_owned()],
            Some(Some(schema)) => match serde_json::from_str(&exchange.answer) {
                Ok(value) => errors("the answer", schema, &value),
                Err(error) => vec![format!("the answer is no JSON: {error}")],
            },
        }
    }
}

fn errors(what: &str, schema: &Validator, value: &Value) -> Vec<String> {
    let errors = schema.iter_errors(value);
    errors
        .map(|error| {
            format!(
                "{what}, at {:?}: {error}",
                error.instance_path().to_string()
            )
        })
        .collect()
}

/// Panics with every exchange that is not as described.
#[track_caller]
pub(crate) fn judge(exchanges: &[Exchange]) {
    let mut told = String::new();
    for exchange in exchanges {
        let faults = DESCRIPTION.faults(exchange);
        if !faults.is_empty() {
            let _ = writeln!(told, "{exchange}\n  {}\n", faults.join("\n  "));
        }
    }
    assert!(
        told.is_empty(),
        "exchanges that are not as the API's description says:\n{told}"
    );
}

/// A description as it was read.
struct Document(Value);

impl Document {
    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let content = |holder: &Value| holder.pointer("/content/application~1json/schema").cloned();
        let body = operation.get("requestBody").map(|body| {
            let schema = content(body).expect("a schema of the body");
            self.validator(&schema, true)
        });
        let answers = operation["responses"].as_object().expect("responses");
        let answers = answers.iter().map(|(status, answer)| {
            let schema = content(self.resolve(answer));
            // {} says nothing
            let schema = schema.filter(|schema| schema.as_object().is_some_and(|s| !s.is_empty()));
            let schema = schema.map(|schema| self.validator(&schema, false));
            (status.parse().expect("a status"), schema)
        });
        let none = Vec::new();
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let parameters = parameters.unwrap_or(&none).iter().map(|parameter| {
            let parameter = self.resolve(parameter);
            let text = |key: &str| parameter[key].as_str().expect("a text").to_owned();
            Parameter {
                name: text("name"),
                place: text("in"),
                required: parameter["required"].as_bool().unwrap_or(false),
                is_integer: parameter["schema"]["type"] == "integer",
                schema: self.validator(&parameter["schema"], true),
            }
        });
        Operation {
            id: operation["operationId"].as_str().expect("an id").to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.split('/').map(str::to_owned).collect(),
            parameters: parameters.collect(),
            body,
            answers: answers.collect(),
        }
    }

    /// What a reference means.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a reference within");
                self.0.pointer(pointer).expect("what is referred to")
            }
            None => value,
        }
    }

    /// A schema with all that it refers to, as JSON Schema.
    fn validator(&self, schema: &Value, strict: bool) -> Validator {
        let mut root = converted(schema, strict);
        let mut defs = Map::new();
        let mut wanted = references(&root);
        while let Some(name) = wanted.pop() {
            if defs.contains_key(&name) {
                continue;
            }
            let schema = self.0.pointer(&format!("/components/schemas/{name}"));
            let schema = converted(schema.expect("what is referred to"), strict);
            wanted.extend(references(&schema));
            defs.insert(name, schema);
        }
        root["$defs"] = defs.into();
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&root).expect("a schema")
    }
}

/// The names of the definitions that a converted schema refers to itself.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|reference| reference.strip_prefix("#/$defs/"));
            let own = own.map(str::to_owned).into_iter();
            own.chain(object.values().flat_map(references)).collect()
        }
        _ => Vec::new(),
    }
}

/// OpenAPI 3.0's kind of schema as JSON Schema: `nullable`, the place of definitions, and, where it is strict, no
/// properties but those that are described.
fn converted(schema: &Value, strict: bool) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| converted(item, strict)).collect(),
        Value::Object(object) => {
            let mut converted_object = Map::new();
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("nullable" | "example" | "description", _) => {}
                    (key, _) if key.starts_with("x-") => {}
                    ("$ref", Value::String(reference)) => {
                        let moved = reference.replace("#/components/schemas/", "#/$defs/");
                        converted_object.insert("$ref".to_owned(), moved.into());
                    }
                    // names of properties are no keywords
                    ("properties", Value::Object(properties)) => {
                        let properties = properties.iter();
                        let properties: Map<_, _> = properties
                            .map(|(name, schema)| (name.clone(), converted(schema, strict)))
                            .collect();
                        converted_object.insert("properties".to_owned(), properties.into());
                        if strict {
                            converted_object
                                .insert("additionalProperties".to_owned(), false.into());
                        }
                    }
                    ("enum" | "required" | "default", value) => {
                        converted_object.insert(key.clone(), value.clone());
                    }
                    (_, value) => {
                        converted_object.insert(key.clone(), converted(value, strict));
                    }
                }
            }
            if object.get("nullable") == Some(&Value::Bool(true)) {
                return json!({ "anyOf": [converted_object, { "type": "null" }] });
            }
            converted_object.into()
        }
        other => other.clone(),
    }
}
