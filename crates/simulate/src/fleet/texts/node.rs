//! AWS SDK for JavaScript v3 over HTTP/2, logged with pino.

use super::{Failure, Told, message};

/// The frames of an answered error, innermost first, as JSON escapes them.
const ANSWERED_FRAMES: &str = concat!(
    r"\n    at AwsRestJsonProtocol.handleError (/app/node_modules/@aws-sdk/core/dist-cjs/submodules/protocols/index.js:386:27)",
    r"\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
    r"\n    at async AwsRestJsonProtocol.deserializeResponse (/app/node_modules/@smithy/core/dist-cjs/submodules/protocols/index.js:663:13)",
    r"\n    at async AwsRestJsonProtocol.deserializeResponse (/app/node_modules/@aws-sdk/core/dist-cjs/submodules/protocols/index.js:370:24)",
    r"\n    at async /app/node_modules/@smithy/core/dist-cjs/submodules/schema/index.js:23:24",
    r"\n    at async /app/node_modules/@smithy/core/dist-cjs/index.js:118:20",
    r"\n    at async /app/node_modules/@smithy/core/dist-cjs/submodules/retry/index.js:205:50",
    r"\n    at async /app/node_modules/@aws-sdk/core/dist-cjs/submodules/client/index.js:137:26",
    r"\n    at async complete (file:///app/bedrock.mjs:45:15)",
);
/// The same of an exception frame in a stream.
const FRAME_FRAMES: &str = concat!(
    r"\n    at EventStreamSerde.readEventMember (/app/node_modules/@smithy/core/dist-cjs/submodules/event-streams/index.js:834:34)",
    r"\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
    r"\n    at async /app/node_modules/@smithy/core/dist-cjs/submodules/event-streams/index.js:769:40",
    r"\n    at async Object.deserializer (/app/node_modules/@smithy/core/dist-cjs/submodules/event-streams/index.js:507:43)",
    r"\n    at async SmithyMessageDecoderStream.asyncIterator (/app/node_modules/@smithy/core/dist-cjs/submodules/event-streams/index.js:389:34)",
    r"\n    at async complete (file:///app/bedrock.mjs:54:22)",
);
/// And of a timeout.
const TIMEOUT_FRAMES: &str = concat!(
    r"\n    at ClientHttp2Stream.<anonymous> (/app/node_modules/@smithy/node-http-handler/dist-cjs/index.js:819:42)",
    r"\n    at Object.onceWrapper (node:events:638:28)",
    r"\n    at ClientHttp2Stream.emit (node:events:524:28)",
    r"\n    at callTimeout (node:internal/http2/core:2457:8)",
    r"\n    at ClientHttp2Stream._onTimeout (node:internal/http2/core:2111:5)",
    r"\n    at listOnTimeout (node:internal/timers:581:17)",
    r"\n    at process.processTimers (node:internal/timers:519:7)",
);

pub(super) fn calling(told: &Told<'_>) -> String {
    line(told, 30, "", &format!(r#","op":"{}""#, told.path()), "calling bedrock")
}

pub(super) fn answered(told: &Told<'_>) -> String {
    let result = format!(r#","requestId":"{}","ms":{:.0}"#, told.request_id, told.elapsed * 1000.0);
    line(told, 30, "", &result, "bedrock answered")
}

pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    line(told, 50, &error(told, failure), &format!(r#","op":"{}""#, told.path()), "bedrock call failed")
}

fn error(told: &Told<'_>, failure: Failure) -> String {
    let tried = format!(r#""attempts":{},"totalRetryDelay":{:.0}"#, told.attempts, told.backoff * 1000.0);
    match failure {
        Failure::Answered(exception) => {
            let (name, text, status) = (exception.as_str(), message(exception), exception.status());
            let fault = if status >= 500 { "server" } else { "client" };
            let id = told.request_id;
            format!(
                r#","err":{{"type":"{name}","message":"{text}","stack":"{name}: {text}{ANSWERED_FRAMES}","$fault":"{fault}","$metadata":{{"httpStatusCode":{status},"requestId":"{id}",{tried}}},"name":"{name}"}}"#
            )
        }
        Failure::FrameMidStream(exception) => {
            let (name, text) = (exception.as_str(), message(exception));
            format!(
                r#","err":{{"type":"{name}","message":"{text}","stack":"{name}: {text}{FRAME_FRAMES}","$fault":"server","name":"{name}"}}"#
            )
        }
        Failure::ResetBeforeAnswer | Failure::ResetMidStream => {
            // Once the stream has begun, the error is the socket's own: the SDK adds nothing to it.
            let metadata = match failure {
                Failure::ResetBeforeAnswer => format!(r#","$metadata":{{{tried}}}"#),
                _ => String::new(),
            };
            format!(
                r#","err":{{"type":"Error","message":"read ECONNRESET","stack":"Error: read ECONNRESET\n    at TLSWrap.onStreamRead (node:internal/stream_base_commons:218:20)","errno":-104,"code":"ECONNRESET","syscall":"read"{metadata}}}"#
            )
        }
        Failure::ReadTimeout => {
            let text =
                format!("Stream timed out because of no activity for {:.0} ms", told.application.read_timeout * 1000.0);
            format!(
                r#","err":{{"type":"Error","message":"{text}","stack":"TimeoutError: {text}{TIMEOUT_FRAMES}","name":"TimeoutError","$metadata":{{{tried}}}}}"#
            )
        }
    }
}

fn line(told: &Told<'_>, level: u8, error: &str, more: &str, text: &str) -> String {
    format!(
        r#"{{"level":{level},"time":{},"pid":1,"hostname":"{}"{error},"modelId":"{}"{more},"msg":"{text}"}}"#,
        told.at.timestamp_millis(),
        told.application.name,
        told.model_id,
    )
}
