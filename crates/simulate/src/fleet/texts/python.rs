//! boto3: plain logging and JSON logging. The tracebacks are kept as templates beside this file.

use faultline_core::model::Operation;

use super::{Failure, Told, message};

const ANSWERED: &str = include_str!("boto3/answered.txt");
const FRAME_MID_STREAM: &str = include_str!("boto3/frame_mid_stream.txt");
const RESET_BEFORE_ANSWER: &str = include_str!("boto3/reset_before_answer.txt");
const RESET_MID_STREAM: &str = include_str!("boto3/reset_mid_stream.txt");
const READ_TIMEOUT: &str = include_str!("boto3/read_timeout.txt");

pub(super) fn calling(told: &Told<'_>) -> String {
    format!("{} INFO [{}] Calling Bedrock", clock(told), logger(told))
}

pub(super) fn answered(told: &Told<'_>) -> String {
    format!("{} INFO [{}] Bedrock answered in {:.0} ms", clock(told), logger(told), told.elapsed * 1000.0)
}

pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    format!("{} ERROR [{}] Error calling Bedrock\n{}", clock(told), logger(told), traceback(told, failure))
}

pub(super) fn calling_json(told: &Told<'_>) -> String {
    json(told, "INFO", "Calling Bedrock", "")
}

pub(super) fn answered_json(told: &Told<'_>) -> String {
    json(told, "INFO", "Bedrock answered", &format!(r#""elapsed_ms": {:.0}, "#, told.elapsed * 1000.0))
}

pub(super) fn failed_json(told: &Told<'_>, failure: Failure) -> String {
    let traceback = traceback(told, failure).replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    json(told, "ERROR", "bedrock call failed", &format!(r#""exc_info": "{traceback}", "#))
}

fn json(told: &Told<'_>, level: &str, text: &str, more: &str) -> String {
    let own_id = told.own_id.map(|id| format!(r#", "call_id": "{id}""#)).unwrap_or_default();
    format!(
        r#"{{"asctime": "{}", "levelname": "{level}", "name": "{}", "message": "{text}", {more}"model_id": "{}", "operation": "{}"{own_id}}}"#,
        clock(told),
        logger(told),
        told.model_id,
        told.path(),
    )
}

/// Python's `%(asctime)s`.
fn clock(told: &Told<'_>) -> impl std::fmt::Display {
    told.at.format("%Y-%m-%d %H:%M:%S,%3f")
}

fn logger(told: &Told<'_>) -> String {
    told.application.name.replace('-', ".")
}

fn traceback(told: &Told<'_>, failure: Failure) -> String {
    let (call, read_stream) = match told.application.operation {
        Operation::Converse => ("r = client.converse(modelId=MODEL, messages=conv)", ""),
        Operation::ConverseStream => {
            ("r = client.converse_stream(modelId=MODEL, messages=conv)", r#"for ev in r["stream"]:"#)
        }
        Operation::InvokeModel => ("r = client.invoke_model(modelId=MODEL, body=body)", ""),
        Operation::InvokeModelWithResponseStream => {
            ("r = client.invoke_model_with_response_stream(modelId=MODEL, body=body)", r#"for ev in r["body"]:"#)
        }
    };
    // Python marks the call, not the assignment before it.
    let carets = "^".repeat(call.len() - "r = ".len());
    let template = match failure {
        Failure::Answered(_) => ANSWERED,
        Failure::FrameMidStream(_) => FRAME_MID_STREAM,
        Failure::ResetBeforeAnswer => RESET_BEFORE_ANSWER,
        Failure::ResetMidStream => RESET_MID_STREAM,
        Failure::ReadTimeout => READ_TIMEOUT,
    };
    let text = template
        .trim_end()
        .replace("{call}", call)
        .replace("{carets}", &carets)
        .replace("{read_stream}", read_stream)
        .replace("{url}", &told.url())
        .replace("{host}", &told.host())
        .replace("{timeout}", &format!("{:?}", told.application.read_timeout));
    let (Failure::Answered(exception) | Failure::FrameMidStream(exception)) = failure else {
        return text;
    };
    let name = match failure {
        // A frame names its exception as the service model does.
        Failure::FrameMidStream(_) => lower_camel(exception.as_str()),
        _ => exception.as_str().to_owned(),
    };
    let retried = match told.attempts {
        0 | 1 => String::new(),
        n => format!(" (reached max retries: {})", n - 1),
    };
    text.replace("{exception}", &name)
        .replace("{operation}", told.application.operation.as_str())
        .replace("{retried}", &retried)
        .replace("{message}", message(exception))
}

fn lower_camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
