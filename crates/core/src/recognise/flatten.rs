//! A JSON log record as plain text, one `path.key: value` a line.
//!
//! Every SDK's error looks the same then, whether a logger wrote it as an object, as a stack in a string or as JSON in
//! a string. Strings are unescaped; what holds prompts and answers is skipped while parsing and never materialised.

use std::{fmt, ops::Range};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Values of these keys are what users and models say, not what the client says.
const SPOKEN: &[&str] = &[
    "prompt",
    "prompts",
    "messages",
    "content",
    "contents",
    "input",
    "inputs",
    "inputtext",
    "input_text",
    "question",
    "user_input",
    "user_message",
    "usermessage",
    "completion",
    "completions",
    "answer",
    "answers",
    "output",
    "outputs",
    "outputtext",
    "output_text",
    "response_text",
    "responsetext",
    "generated_text",
    "transcript",
    "conversation",
    "history",
    "documents",
    "chunks",
    "system_prompt",
    "inputbodyjson",
    "outputbodyjson",
];
const DEPTH: usize = 16;

/// A value that is no object and no array.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// Where its path begins; a key may hold any character, also a newline.
    path: usize,
    key: Range<usize>,
    value: Range<usize>,
    /// 1 for a field of the record itself.
    pub(super) depth: usize,
    pub(super) is_text: bool,
}

/// A JSON object, flattened.
#[derive(Debug, Clone, Default)]
pub(super) struct Flat {
    /// All leaves as text.
    pub(super) text: String,
    pub(super) leaves: Vec<Leaf>,
}

impl Flat {
    /// The object `json` holds, or `None` if it is not one whole JSON object.
    pub(super) fn parse(json: &str) -> Option<Self> {
        let mut flat =
            Self { text: String::with_capacity(json.len() + json.len() / 4), leaves: Vec::with_capacity(16) };
        if !json.starts_with('{') {
            return None;
        }
        let mut parser = serde_json::Deserializer::from_str(json);
        let mut path = String::new();
        Node { flat: &mut flat, path: &mut path, key: 0, depth: 0 }.deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        Some(flat)
    }

    /// A leaf's own key, without the path to it.
    pub(super) fn key(&self, leaf: &Leaf) -> &str {
        &self.text[leaf.key.clone()]
    }

    /// A leaf's value; strings without quotes and unescaped.
    pub(super) fn value(&self, leaf: &Leaf) -> &str {
        &self.text[leaf.value.clone()]
    }

    /// The value of the record's own field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.leaves.iter().find(|leaf| leaf.depth == 1 && self.key(leaf) == name).map(|leaf| self.value(leaf))
    }

    /// The first value, wherever it is, under one of these keys, in their order.
    pub(super) fn any(&self, names: &[&str]) -> Option<&str> {
        self.span(names).map(|span| &self.text[span])
    }

    /// Where in the text the value of [`Flat::any`] is.
    pub(super) fn span(&self, names: &[&str]) -> Option<Range<usize>> {
        names.iter().find_map(|name| {
            let found = self.leaves.iter().filter(|leaf| self.key(leaf).eq_ignore_ascii_case(name));
            found.min_by_key(|leaf| leaf.depth).map(|leaf| leaf.value.clone())
        })
    }

    /// Whether any path goes through an object of this name.
    pub(super) fn has_object(&self, name: &str) -> bool {
        self.leaves.iter().any(|leaf| self.text[leaf.path..leaf.key.start].split('.').any(|part| part == name))
    }

    fn push(&mut self, path: &str, key: usize, value: &str, depth: usize, is_text: bool) {
        let start = self.text.len();
        self.text.push_str(path);
        self.text.push_str(": ");
        let from = self.text.len();
        self.text.push_str(value);
        self.leaves.push(Leaf {
            path: start,
            key: start + key..start + path.len(),
            value: from..self.text.len(),
            depth,
            is_text,
        });
        self.text.push('\n');
    }
}

struct Node<'a> {
    flat: &'a mut Flat,
    path: &'a mut String,
    /// Where the last key begins in the path.
    key: usize,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn leaf(self, value: &str, is_text: bool) {
        // JSON in a string: an envelope's log, or a logger's message. Objects only, so that a number stays a string.
        if is_text && self.depth < DEPTH && value.starts_with('{') && value.trim_end().ends_with('}') {
            let mut parser = serde_json::Deserializer::from_str(value.trim_end());
            let (texts, leaves, path) = (self.flat.text.len(), self.flat.leaves.len(), self.path.len());
            let inner = Node { flat: &mut *self.flat, path: &mut *self.path, key: self.key, depth: self.depth };
            if inner.deserialize(&mut parser).is_ok() && parser.end().is_ok() {
                return;
            }
            self.flat.text.truncate(texts);
            self.flat.leaves.truncate(leaves);
            self.path.truncate(path);
        }
        self.flat.push(self.path, self.key, value, self.depth, is_text);
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.flat.push(self.path, self.key, if value { "true" } else { "false" }, self.depth, false);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.flat.push(self.path, self.key, &value.to_string(), self.depth, false);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.flat.push(self.path, self.key, &value.to_string(), self.depth, false);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.flat.push(self.path, self.key, &value.to_string(), self.depth, false);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(value, true);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Node { flat, path, key, depth } = self;
        if depth >= DEPTH {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while items.next_element_seed(Node { flat: &mut *flat, path: &mut *path, key, depth: depth + 1 })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Node { flat, path, depth, .. } = self;
        let parent = path.len();
        while let Some(key) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            let spoken = key.len() < 16 && SPOKEN.iter().any(|name| name.eq_ignore_ascii_case(&key));
            if spoken || depth >= DEPTH {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            if parent > 0 {
                path.push('.');
            }
            let start = path.len();
            path.push_str(&key);
            fields.next_value_seed(Node { flat: &mut *flat, path: &mut *path, key: start, depth: depth + 1 })?;
            path.truncate(parent);
        }
        Ok(())
    }
}
