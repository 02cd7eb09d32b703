//! CBOR in, as a JSON value (times as seconds since 1970); CBOR out, by hand.

use aws_smithy_cbor::{Decoder, Encoder, data::Type, decode::DeserializeError};
use serde_json::{Map, Value};

/// The one value of a request's body.
pub(super) fn decode(body: &[u8]) -> Result<Value, DeserializeError> {
    value(&mut Decoder::new(body))
}

/// A map of whatever `fill` writes: keys and values in turn.
pub(super) fn map(fill: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.begin_map();
    fill(&mut encoder);
    encoder.end();
    encoder.into_writer()
}

fn value(decoder: &mut Decoder<'_>) -> Result<Value, DeserializeError> {
    Ok(match decoder.datatype()? {
        Type::Bool => decoder.boolean()?.into(),
        Type::Null => {
            decoder.null()?;
            Value::Null
        }
        Type::F16 | Type::F32 | Type::F64 => decoder.double()?.into(),
        Type::String | Type::StringIndef => decoder.string()?.into(),
        Type::Array | Type::ArrayIndef => {
            let mut elements = Vec::new();
            let count = decoder.list()?;
            while more(decoder, count, elements.len())? {
                elements.push(value(decoder)?);
            }
            Value::Array(elements)
        }
        Type::Map | Type::MapIndef => {
            let mut members = Map::new();
            let count = decoder.map()?;
            while more(decoder, count, members.len())? {
                let key = decoder.string()?;
                members.insert(key, value(decoder)?);
            }
            Value::Object(members)
        }
        Type::Tag => decoder.timestamp()?.as_secs_f64().into(),
        _ => decoder.long()?.into(),
    })
}

/// Whether a collection of `count` elements (until its end, if not said) has more than `read`.
fn more(decoder: &mut Decoder<'_>, count: Option<u64>, read: usize) -> Result<bool, DeserializeError> {
    match count {
        Some(count) => Ok((read as u64) < count),
        None if decoder.datatype()? == Type::Break => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}
