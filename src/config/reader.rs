//! A YAML tree with places, read key by key: every error is collected, none ends the reading.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::error::{ConfigError, ConfigErrors};

/// What is found on the way: errors, and which options were asked for (so that a test can hold the documentation
/// to the code).
#[derive(Debug, Default)]
pub(super) struct Found {
    pub errors: Vec<ConfigError>,
    pub options: BTreeSet<String>,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    node: &'a MarkedYaml<'a>,
    path: String,
}

/// The keys of a mapping, taken one by one.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    path: String,
    of: Option<Value<'a>>,
    entries: Vec<(&'a str, Value<'a>, saphyr_place::Place)>,
    known: Vec<&'static str>,
}

mod saphyr_place {
    /// Line and column, from 1.
    #[derive(Debug, Clone, Copy)]
    pub(in crate::config) struct Place {
        pub line: usize,
        pub column: usize,
    }

    impl From<saphyr::Marker> for Place {
        fn from(marker: saphyr::Marker) -> Self {
            // saphyr counts lines from 1 and columns from 0.
            Self { line: marker.line(), column: marker.col() + 1 }
        }
    }
}

/// Reads the one document of `text` with `read`; fails with every error, in the order of the file.
pub(super) fn document<T>(
    text: &str,
    file: &str,
    found: &mut Found,
    read: impl FnOnce(&Value<'_>, &mut Found) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let place = saphyr_place::Place::from(*error.marker());
        let message = format!("not YAML: {}", error.info());
        let error = ConfigError { line: place.line, column: place.column, path: String::new(), message };
        ConfigErrors { file: file.to_owned(), errors: vec![error] }
    })?;
    let [document] = &documents[..] else {
        let message = match documents.len() {
            0 => "the file is empty; see faultline.example.yaml for what it needs".to_owned(),
            count => format!("{count} YAML documents; one is expected"),
        };
        return Err(ConfigErrors::of_file(file, message));
    };
    let read = read(&Value { node: document, path: String::new() }, found);
    match read {
        Some(value) if found.errors.is_empty() => Ok(value),
        _ => {
            let mut errors = std::mem::take(&mut found.errors);
            errors.sort_by_key(|error| (error.line, error.column));
            Err(ConfigErrors { file: file.to_owned(), errors })
        }
    }
}

impl<'a> Value<'a> {
    /// Notes what is wrong with this value.
    pub(super) fn error(&self, found: &mut Found, message: impl Into<String>) {
        let place = saphyr_place::Place::from(self.node.span.start);
        found.errors.push(ConfigError {
            line: place.line,
            column: place.column,
            path: self.path.clone(),
            message: message.into(),
        });
    }

    /// Where it stands, as in `cells[0].regions`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is a mapping.
    pub(super) const fn is_mapping(&self) -> bool {
        matches!(self.node.data, YamlData::Mapping(_))
    }

    /// Text; a number counts as the text it is written as only where it reads back the same.
    pub(super) fn text(&self, found: &mut Found) -> Option<String> {
        match &self.node.data {
            YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
            YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
            _ => {
                self.error(found, format!("expected text, found {}", self.kind()));
                None
            }
        }
    }

    /// Text that means something: `parse` says what is wrong with it.
    pub(super) fn parsed<T>(&self, found: &mut Found, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(found)?;
        parse(&text).map_err(|message| self.error(found, message)).ok()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, found: &mut Found) -> Option<bool> {
        match self.node.data {
            YamlData::Value(Scalar::Boolean(value)) => Some(value),
            _ => {
                self.error(found, format!("expected true or false, found {}", self.kind()));
                None
            }
        }
    }

    /// A number above or equal to 0.
    pub(super) fn amount(&self, found: &mut Found) -> Option<f64> {
        let number = match &self.node.data {
            YamlData::Value(Scalar::Integer(number)) => i32::try_from(*number).ok().map(f64::from),
            YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.into_inner()),
            _ => None,
        };
        let amount = number.filter(|number| number.is_finite() && *number >= 0.0);
        match (number, amount) {
            (_, Some(_)) => {}
            (Some(number), None) => self.error(found, format!("{number} is less than 0, or no amount")),
            (None, None) => self.error(found, format!("expected a number of at least 0, found {}", self.kind())),
        }
        amount
    }

    /// The elements of a list.
    pub(super) fn list(&self, found: &mut Found) -> Option<Vec<Value<'a>>> {
        match &self.node.data {
            YamlData::Sequence(elements) => {
                let element = |(index, node)| Value { node, path: format!("{}[{index}]", self.path) };
                Some(elements.iter().enumerate().map(element).collect())
            }
            _ => {
                self.error(found, format!("expected a list, found {}", self.kind()));
                None
            }
        }
    }

    /// The keys of a mapping.
    pub(super) fn fields(&self, found: &mut Found) -> Option<Fields<'a>> {
        let YamlData::Mapping(mapping) = &self.node.data else {
            self.error(found, format!("expected keys and values, found {}", self.kind()));
            return None;
        };
        let mut entries = Vec::new();
        for (key, node) in mapping {
            let YamlData::Value(Scalar::String(name)) = &key.data else {
                Value { node: key, path: self.path.clone() }.error(found, "a key must be text");
                continue;
            };
            entries.push((name.as_ref(), Value { node, path: join(&self.path, name) }, key.span.start.into()));
        }
        Some(Fields { of: Some(self.clone()), path: self.path.clone(), entries, known: Vec::new() })
    }

    /// What it is, in words. The value itself is not repeated: it may be a secret in the wrong place.
    const fn kind(&self) -> &'static str {
        match &self.node.data {
            YamlData::Value(Scalar::Null) => "nothing",
            YamlData::Value(Scalar::Boolean(_)) => "true or false",
            YamlData::Value(Scalar::Integer(_) | Scalar::FloatingPoint(_)) => "a number",
            YamlData::Value(Scalar::String(_)) | YamlData::Representation(..) => "text",
            YamlData::Sequence(_) => "a list",
            YamlData::Mapping(_) => "keys and values",
            _ => "something else",
        }
    }

    /// Notes options that this value could have, where it was written in a shorter form.
    pub(super) fn fields_known(&self, found: &mut Found, keys: &[&str]) {
        found.options.extend(keys.iter().map(|key| general(&join(&self.path, key))));
    }

    const fn is_null(&self) -> bool {
        matches!(self.node.data, YamlData::Value(Scalar::Null))
    }
}

impl<'a> Fields<'a> {
    /// The value of `key`; nothing where it is absent or left empty.
    pub(super) fn take(&mut self, key: &'static str, found: &mut Found) -> Option<Value<'a>> {
        self.known.push(key);
        found.options.insert(general(&join(&self.path, key)));
        let value = self.entries.iter().find(|(name, ..)| *name == key).map(|(_, value, _)| value.clone())?;
        (!value.is_null()).then_some(value)
    }

    /// The fields of a mapping that is not there: all absent.
    pub(super) fn absent(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), of: self.of.clone(), entries: Vec::new(), known: Vec::new() }
    }

    /// Notes what is wrong with `key`, or, where it is absent, with the whole.
    pub(super) fn error(&self, key: &str, found: &mut Found, message: &str) {
        let value = self.entries.iter().find(|(name, ..)| *name == key).map(|(_, value, _)| value).or(self.of.as_ref());
        if let Some(value) = value {
            value.error(found, message);
        }
    }

    /// Refuses every key that was not taken.
    pub(super) fn finish(self, found: &mut Found) {
        for (name, _, place) in &self.entries {
            if self.known.contains(name) {
                continue;
            }
            let like = self
                .known
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
            let hint = match like {
                Some(like) if strsim::jaro_winkler(name, like) > 0.75 => format!("did you mean `{like}`?"),
                _ => format!("known here: {}", self.known.join(", ")),
            };
            found.errors.push(ConfigError {
                line: place.line,
                column: place.column,
                path: self.path.clone(),
                message: format!("unknown key `{name}`: {hint}"),
            });
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// `cells[3].regions` is the option `cells[].regions`.
fn general(path: &str) -> String {
    path.split('[').enumerate().fold(String::new(), |mut general, (index, part)| {
        if index > 0 {
            general.push('[');
        }
        general.push_str(part.trim_start_matches(|c: char| index > 0 && c.is_ascii_digit()));
        general
    })
}
