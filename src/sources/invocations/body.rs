//! The few numbers that a record's body is read for; its text is skipped while parsing.
//!
//! Converse answers `metrics.latencyMs`; a stream is logged as the array of its chunks, of which the last carries
//! `amazon-bedrock-invocationMetrics` (InvokeModel) or `metadata.metrics` (Converse). All in milliseconds.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// What a body tells of its call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Body {
    pub(super) latency_ms: Option<f64>,
    pub(super) first_byte_ms: Option<f64>,
    /// Whether a stream's last chunk is there, where its chunks tell.
    pub(super) ended: Option<bool>,
}

impl Body {
    fn add(&mut self, other: &Self) {
        self.latency_ms = other.latency_ms.or(self.latency_ms);
        self.first_byte_ms = other.first_byte_ms.or(self.first_byte_ms);
        self.ended = match (self.ended, other.ended) {
            (Some(before), Some(now)) => Some(before || now),
            (before, now) => before.or(now),
        };
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything(BodyVisitor { of_stream: false }))
    }
}

/// Reads a body, or one chunk of a stream's.
#[derive(Clone, Copy)]
struct BodyVisitor {
    of_stream: bool,
}

impl<'de> Read<'de> for BodyVisitor {
    type Value = Body;

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "metrics" | "amazon-bedrock-invocationMetrics" => body.add(&map.next_value::<Metrics>()?.0),
                // A ConverseStream chunk wraps its metrics once more.
                "metadata" => body.add(&map.next_value::<Wrapped>()?.0),
                "type" if self.of_stream => {
                    let kind = map.next_value::<Text<'de>>()?.0;
                    let ended = match kind.as_deref() {
                        Some("message_stop") => Some(true),
                        Some("message_start") => Some(false),
                        _ => None,
                    };
                    body.add(&Body { ended, ..Body::default() });
                }
                "messageStop" | "messageStart" if self.of_stream => {
                    body.add(&Body { ended: Some(key == "messageStop"), ..Body::default() });
                    map.next_value::<IgnoredAny>()?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(body)
    }

    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        while let Some(chunk) = seq.next_element::<Chunk>()? {
            body.add(&chunk.0);
        }
        Ok(body)
    }
}

struct Chunk(Body);

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything(BodyVisitor { of_stream: true })).map(Self)
    }
}

/// `{"metrics": …}` inside a chunk's `metadata`.
struct Wrapped(Body);

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;
        impl<'de> Read<'de> for Inner {
            type Value = Body;
            fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut body = Body::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "metrics" {
                        body = map.next_value::<Metrics>()?.0;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(body)
            }
        }
        deserializer.deserialize_any(Anything(Inner)).map(Self)
    }
}

/// A metrics object, whatever else it holds.
struct Metrics(Body);

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;
        impl<'de> Read<'de> for Inner {
            type Value = Body;
            fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
                let mut body = Body::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match key.as_ref() {
                        "latencyMs" | "invocationLatency" => body.latency_ms = map.next_value::<Number>()?.0,
                        "firstByteLatency" => body.first_byte_ms = map.next_value::<Number>()?.0,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(body)
            }
        }
        deserializer.deserialize_any(Anything(Inner)).map(Self)
    }
}

struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;
        impl Read<'_> for Inner {
            type Value = Option<f64>;
            fn number(self, number: f64) -> Option<f64> {
                (number.is_finite() && number >= 0.0).then_some(number)
            }
        }
        deserializer.deserialize_any(Anything(Inner)).map(Self)
    }
}

/// Text, or `None` for anything else.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Inner;
        impl<'de> Read<'de> for Inner {
            type Value = Option<Cow<'de, str>>;
            fn borrowed(self, text: &'de str) -> Self::Value {
                Some(Cow::Borrowed(text))
            }
            fn text(self, text: &str) -> Self::Value {
                Some(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Anything(Inner)).map(Self)
    }
}

/// What is made of a JSON value; of every kind of value that is not of interest, the default, and its content is
/// skipped.
trait Read<'de>: Sized {
    type Value: Default;
    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Value::default())
    }
    fn number(self, _: f64) -> Self::Value {
        Self::Value::default()
    }
    fn text(self, _: &str) -> Self::Value {
        Self::Value::default()
    }
    fn borrowed(self, text: &'de str) -> Self::Value {
        self.text(text)
    }
}

struct Anything<R>(R);

impl<'de, R: Read<'de>> Visitor<'de> for Anything<R> {
    type Value = R::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<R::Value, A::Error> {
        self.0.map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<R::Value, A::Error> {
        self.0.seq(seq)
    }
    fn visit_str<E>(self, text: &str) -> Result<R::Value, E> {
        Ok(self.0.text(text))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<R::Value, E> {
        Ok(self.0.borrowed(text))
    }
    fn visit_bool<E>(self, _: bool) -> Result<R::Value, E> {
        Ok(R::Value::default())
    }
    #[allow(clippy::cast_precision_loss)] // milliseconds are far below 2^52
    fn visit_i64<E>(self, number: i64) -> Result<R::Value, E> {
        Ok(self.0.number(number as f64))
    }
    #[allow(clippy::cast_precision_loss)] // milliseconds are far below 2^52
    fn visit_u64<E>(self, number: u64) -> Result<R::Value, E> {
        Ok(self.0.number(number as f64))
    }
    fn visit_f64<E>(self, number: f64) -> Result<R::Value, E> {
        Ok(self.0.number(number))
    }
    fn visit_unit<E>(self) -> Result<R::Value, E> {
        Ok(R::Value::default())
    }
}
