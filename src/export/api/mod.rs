//! The JSON API: one file per question. What is wrong with a question is said in words.

mod findings;
mod incidents;
mod parameters;
mod sources;
mod summary;

pub(super) use self::{findings::findings, incidents::incidents, sources::sources, summary::summary};
