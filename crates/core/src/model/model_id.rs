//! One key for a model, whatever form its name had.
//!
//! Callers pass a model id, an inference-profile id or an ARN; CloudWatch's `ModelId` and the invocation log's
//! `modelId` collapse them differently. Both sides are normalised here, and only here, so that they join.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The routing prefix of a cross-region inference profile, or [`Route::None`] for a call to the model itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// In-region: no prefix, or an id that carries none.
    #[default]
    None,
    /// `us.`
    Us,
    /// `eu.`
    Eu,
    /// `apac.`
    Apac,
    /// `au.`
    Au,
    /// `ca.`
    Ca,
    /// `jp.`
    Jp,
    /// `global.`
    Global,
    /// `us-gov.`
    UsGov,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 9] =
        [Self::None, Self::Us, Self::Eu, Self::Apac, Self::Au, Self::Ca, Self::Jp, Self::Global, Self::UsGov];

    /// The label value: `none`, `us`, `us-gov` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Apac => "apac",
            Self::Au => "au",
            Self::Ca => "ca",
            Self::Jp => "jp",
            Self::Global => "global",
            Self::UsGov => "us-gov",
        }
    }

    fn split(id: &str) -> (Self, &str) {
        id.split_once('.')
            .and_then(|(prefix, rest)| {
                // `us.` is a route only before a provider: `vendor.model` has a dot of its own left.
                let route = Self::ALL.into_iter().skip(1).find(|route| route.as_str() == prefix)?;
                rest.contains('.').then_some((route, rest))
            })
            .unwrap_or((Self::None, id))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A model and the route its calls took.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelKey {
    /// Without routing prefix or ARN: `anthropic.claude-sonnet-4-5-20250929-v1:0`, or the id of an application
    /// inference profile or of a provisioned model.
    pub model_id: Arc<str>,
    /// The routing prefix.
    pub route: Route,
}

impl ModelKey {
    /// The key of any name a model goes by: id, inference-profile id, or ARN of a foundation model, an inference
    /// profile, an application inference profile, or a provisioned, custom or imported model.
    ///
    /// ```
    /// # use faultline_core::model::{ModelKey, Route};
    /// let key = ModelKey::parse("arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0");
    /// assert_eq!((&*key.model_id, key.route), ("amazon.nova-pro-v1:0", Route::Us));
    /// ```
    pub fn parse(name: &str) -> Self {
        let name = name.trim();
        let id = if name.starts_with("arn:") {
            // arn:partition:bedrock:region:account:kind/id — the id of a model may hold colons, and that of a
            // custom model a slash.
            name.splitn(6, ':').nth(5).and_then(|resource| resource.split_once('/')).map_or(name, |(_, id)| id)
        } else {
            name
        };
        let (route, id) = Route::split(id);
        Self { model_id: id.into(), route }
    }

    /// What a failure whose text names no model is reported under until it is matched.
    pub fn unknown() -> Self {
        Self { model_id: "unknown".into(), route: Route::None }
    }

    /// Whether this is [`ModelKey::unknown`].
    pub fn is_unknown(&self) -> bool {
        &*self.model_id == "unknown"
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.route {
            Route::None => f.write_str(&self.model_id),
            route => write!(f, "{route}.{}", self.model_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_model_name_has_one_key() {
        for (name, model_id, route) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0", Route::None),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4-20250514-v1:0", Route::Us),
            ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0", Route::UsGov),
            (
                "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
                Route::Global,
            ),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", Route::None),
            (
                "arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.meta.llama3-2-1b-instruct-v1:0",
                "meta.llama3-2-1b-instruct-v1:0",
                Route::Eu,
            ),
            (
                "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6",
                "a1b2c3d4e5f6",
                Route::None,
            ),
            ("arn:aws:bedrock:us-east-1:111122223333:provisioned-model/xyz987", "xyz987", Route::None),
            (
                "arn:aws:bedrock:us-east-1:111122223333:custom-model/amazon.titan-text-express-v1:0:8k/abc123",
                "amazon.titan-text-express-v1:0:8k/abc123",
                Route::None,
            ),
            ("us.model-without-vendor", "us.model-without-vendor", Route::None),
        ] {
            assert_eq!(ModelKey::parse(name), ModelKey { model_id: model_id.into(), route }, "{name}");
        }
    }

    #[test]
    fn a_key_reads_as_the_inference_profile_id() {
        for name in ["us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"] {
            assert_eq!(ModelKey::parse(name).to_string(), name);
        }
    }
}
