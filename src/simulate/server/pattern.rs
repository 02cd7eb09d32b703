//! CloudWatch Logs filter patterns, read strictly: what AWS refuses is refused, so that a pattern that only seems to
//! work is found out here.
//!
//! Terms: `a "b c"` all of them, `?a ?"b c"` any of them, `-a` none of them; case counts; a term in no quotes has word
//! characters only. JSON: `{ $.a.b = "x" }` with `=`, `!=`, `<`, `<=`, `>`, `>=`, `IS NULL`, `NOT EXISTS`, `*` for any
//! run of characters, `&&`, `||` and parentheses.

use serde_json::Value;

use super::answer::Fault;

/// The most characters of a pattern.
const LONGEST: usize = 1024;

/// A pattern.
#[derive(Debug, PartialEq)]
pub(super) enum Pattern {
    Everything,
    Terms { all: Vec<String>, any: Vec<String>, none: Vec<String> },
    Json(Condition),
}

#[derive(Debug, PartialEq)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Is { path: Vec<String>, operator: String, operand: String },
    IsNull(Vec<String>),
    NotExists(Vec<String>),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        if text.chars().count() > LONGEST {
            return Err(Fault::invalid(format!(
                "1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: Member must have length less than or equal to {LONGEST}"
            )));
        }
        let tokens = tokens(text)?;
        match tokens.first().map(|token| token.text.as_str()) {
            None => Ok(Self::Everything),
            Some("{") if !tokens[0].quoted => {
                let mut parser = Parser { tokens: &tokens, at: 1 };
                let condition = parser.any()?;
                parser.expect("}")?;
                if parser.at == tokens.len() {
                    Ok(Self::Json(condition))
                } else {
                    Err(invalid("text after the last }"))
                }
            }
            Some(_) => terms(&tokens),
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Terms { all, any, none } => {
                all.iter().all(|term| has_term(message, term))
                    && (any.is_empty() || any.iter().any(|term| has_term(message, term)))
                    && !none.iter().any(|term| has_term(message, term))
            }
            Self::Json(condition) => {
                // Parsing a log of a million records takes minutes; most of them can be seen not to match.
                condition.may_hold(&mut Glances { message, seen: Vec::new() })
                    && serde_json::from_str(message)
                        .is_ok_and(|value: Value| value.is_object() && condition.holds(&value))
            }
        }
    }
}

/// Terms are whole words: `ERROR` is not in `ERRORS`.
fn has_term(message: &str, term: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    message.match_indices(term).any(|(at, _)| {
        let (before, after) = (message[..at].chars().next_back(), message[at + term.len()..].chars().next());
        !(is_word(before) && is_word(term.chars().next()) || is_word(after) && is_word(term.chars().next_back()))
    })
}

impl Condition {
    /// False where the message's text alone tells that it does not hold.
    fn may_hold<'k>(&'k self, glances: &mut Glances<'_, 'k>) -> bool {
        match self {
            Self::And(conditions) => conditions.iter().all(|condition| condition.may_hold(glances)),
            Self::Or(conditions) => conditions.iter().any(|condition| condition.may_hold(glances)),
            Self::IsNull(_) | Self::NotExists(_) => true,
            Self::Is { path, operator, operand } => match path.last().map(|key| glances.at(key)) {
                Some(Glance::Absent) => false,
                Some(Glance::Text(text)) if operator == "=" => wildcard(operand, text),
                _ => true,
            },
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::And(conditions) => conditions.iter().all(|condition| condition.holds(value)),
            Self::Or(conditions) => conditions.iter().any(|condition| condition.holds(value)),
            Self::IsNull(path) => at(value, path).is_some_and(Value::is_null),
            Self::NotExists(path) => at(value, path).is_none(),
            Self::Is { path, operator, operand } => {
                at(value, path).is_some_and(|found| compare(found, operator, operand))
            }
        }
    }
}

/// What a look at a message's text, without parsing it, tells of a key's value.
#[derive(Debug, Clone, Copy)]
enum Glance<'m> {
    Absent,
    /// The one text it has, wherever in the message.
    Text(&'m str),
    Unclear,
}

struct Glances<'m, 'k> {
    message: &'m str,
    seen: Vec<(&'k str, Glance<'m>)>,
}

impl<'m, 'k> Glances<'m, 'k> {
    fn at(&mut self, key: &'k str) -> Glance<'m> {
        if let Some((_, known)) = self.seen.iter().find(|(seen, _)| *seen == key) {
            return *known;
        }
        let quoted = format!("\"{key}\"");
        let mut places = self.message.match_indices(&quoted);
        let glance = match (places.next(), places.next()) {
            (None, _) => Glance::Absent,
            (Some((at, _)), None) => self.message[at + quoted.len()..]
                .strip_prefix(":\"")
                .and_then(|value| value.split('"').next())
                .filter(|value| !value.contains('\\'))
                .map_or(Glance::Unclear, Glance::Text),
            _ => Glance::Unclear,
        };
        self.seen.push((key, glance));
        glance
    }
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn compare(found: &Value, operator: &str, operand: &str) -> bool {
    if let (Some(found), Ok(operand)) = (found.as_f64(), operand.parse::<f64>()) {
        return match operator {
            "=" => (found - operand).abs() < f64::EPSILON,
            "!=" => (found - operand).abs() >= f64::EPSILON,
            "<" => found < operand,
            "<=" => found <= operand,
            ">" => found > operand,
            _ => found >= operand,
        };
    }
    let text = match found {
        Value::String(text) => text.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => return false,
        other => other.to_string(),
    };
    match operator {
        "=" => wildcard(operand, &text),
        "!=" => !wildcard(operand, &text),
        _ => false,
    }
}

/// Whether `text` is `pattern`, where `*` stands for any run of characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    true
}

#[derive(Debug, PartialEq)]
struct Token {
    text: String,
    quoted: bool,
    /// `?` or `-` before it.
    mark: Option<char>,
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let json = text.trim_start().starts_with('{');
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
            continue;
        }
        let mark = (!json && matches!(first, '?' | '-')).then_some(first);
        if mark.is_some() {
            chars.next();
        }
        let mut token = String::new();
        match chars.peek() {
            Some('"') => {
                chars.next();
                loop {
                    match chars.next() {
                        None => return Err(invalid("a quote is not closed")),
                        Some('"') => break,
                        Some('\\') => token.extend(chars.next()),
                        Some(c) => token.push(c),
                    }
                }
                tokens.push(Token { text: token, quoted: true, mark });
                continue;
            }
            Some(c) if json && "{}()".contains(*c) => token.extend(chars.next()),
            Some(c) if json && "=!<>&|".contains(*c) => {
                while chars.peek().is_some_and(|c| "=!<>&|".contains(*c)) {
                    token.extend(chars.next());
                }
            }
            _ => {
                let ends = |c: &char| c.is_whitespace() || *c == '"' || (json && "{}()=!<>&|".contains(*c));
                while chars.peek().is_some_and(|c| !ends(c)) {
                    token.extend(chars.next());
                }
            }
        }
        tokens.push(Token { text: token, quoted: false, mark });
    }
    Ok(tokens)
}

fn terms(tokens: &[Token]) -> Result<Pattern, Fault> {
    let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
    for token in tokens {
        let word = !token.text.is_empty() && token.text.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !token.quoted && !word {
            return Err(invalid(&format!("`{}` must be in quotes", token.text)));
        }
        match token.mark {
            Some('?') => &mut any,
            Some(_) => &mut none,
            None => &mut all,
        }
        .push(token.text.clone());
    }
    // AWS documents that `?` is ignored beside other terms: a pattern that mixes them does not do what it says.
    let others = !all.is_empty() || !none.is_empty();
    if others && !any.is_empty() {
        return Err(invalid("?terms beside other terms"));
    }
    Ok(Pattern::Terms { all, any, none })
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).filter(|token| !token.quoted).map(|token| token.text.as_str())
    }

    fn next(&mut self) -> Result<&Token, Fault> {
        let token = self.tokens.get(self.at).ok_or_else(|| invalid("it ends too early"))?;
        self.at += 1;
        Ok(token)
    }

    fn expect(&mut self, text: &str) -> Result<(), Fault> {
        let token = self.next()?;
        if token.text == text && !token.quoted { Ok(()) } else { Err(invalid(&format!("expected {text}"))) }
    }

    fn any(&mut self) -> Result<Condition, Fault> {
        let mut conditions = vec![self.all()?];
        while self.peek() == Some("||") {
            self.at += 1;
            conditions.push(self.all()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::Or(conditions) })
    }

    fn all(&mut self) -> Result<Condition, Fault> {
        let mut conditions = vec![self.one()?];
        while self.peek() == Some("&&") {
            self.at += 1;
            conditions.push(self.one()?);
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Condition::And(conditions) })
    }

    fn one(&mut self) -> Result<Condition, Fault> {
        if self.peek() == Some("(") {
            self.at += 1;
            let condition = self.any()?;
            self.expect(")")?;
            return Ok(condition);
        }
        let selector = self.next()?.text.clone();
        let path = selector.strip_prefix("$.").ok_or_else(|| invalid("a property begins with $."))?;
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(|key| key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c))) {
            return Err(invalid("a property's name has word characters and hyphens only"));
        }
        match self.next()?.text.as_str() {
            "IS" => self.expect("NULL").map(|()| Condition::IsNull(path)),
            "NOT" => self.expect("EXISTS").map(|()| Condition::NotExists(path)),
            operator @ ("=" | "!=" | "<" | "<=" | ">" | ">=") => {
                let operator = operator.to_owned();
                let operand = self.next()?;
                let word = operand.text.chars().all(|c| c.is_alphanumeric() || "_.-*".contains(c));
                if !operand.quoted && !word {
                    return Err(invalid("a value with other characters must be in quotes"));
                }
                Ok(Condition::Is { path, operator, operand: operand.text.clone() })
            }
            other => Err(invalid(&format!("unknown operator {other}"))),
        }
    }
}

fn invalid(what: &str) -> Fault {
    Fault::invalid(format!("Invalid filter pattern: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_aws_documents() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR timeout", "ERROR: timeout", true),
            ("ERROR timeout", "ERROR", false),
            ("ERROR", "two ERRORS", false),
            ("ERROR", "[ERROR]", true),
            ("?ERROR ?timeout", "a timeout", true),
            ("?ERROR ?\"read timeout\"", "a timeout", false),
            ("ERROR -retry", "ERROR, retry", false),
            ("{ $.errorCode = * }", r#"{"errorCode":"X"}"#, true),
            ("{ $.errorCode = * }", r#"{"other":"errorCode"}"#, false),
            ("{ $.errorCode = * }", "errorCode = X", false),
            (r#"{ ($.requestId = "a-1") || ($.requestId = "b-2") }"#, r#"{"requestId":"b-2"}"#, true),
            (r#"{ ($.requestId = "a-1") || ($.requestId = "b-2") }"#, r#"{"requestId":"b-22"}"#, false),
            (
                r#"{ $.modelId = "*nova*" && $.input.inputTokenCount > 10 }"#,
                r#"{"modelId":"us.amazon.nova","input":{"inputTokenCount":11}}"#,
                true,
            ),
            (
                r#"{ $.modelId = "*nova*" && $.input.inputTokenCount > 10 }"#,
                r#"{"modelId":"us.amazon.nova","input":{"inputTokenCount":10}}"#,
                false,
            ),
            (r#"{ $.requestMetadata.faultline-id = "a" }"#, r#"{"requestMetadata":{"faultline-id":"a"}}"#, true),
            (r#"{ $.requestMetadata.faultline-id = "a" }"#, r#"{"faultline-id":"a"}"#, false),
            (r#"{ $.requestId = "a" }"#, r#"{"requestId" : "a"}"#, true),
            (r#"{ $.requestId = "a" }"#, r#"{"body":{"requestId":"b"},"requestId":"a"}"#, true),
            (r#"{ $.requestId = "a" }"#, r#"{"body":"\"requestId\":\"a\"","requestId":"b"}"#, false),
            ("{ $.errorCode NOT EXISTS }", "{}", true),
            ("{ $.errorCode IS NULL }", r#"{"errorCode":null}"#, true),
            (r#"{ $.status != "ok" }"#, r#"{"status":"bad"}"#, true),
        ] {
            let parsed = Pattern::parse(pattern);
            assert_eq!(parsed.map(|parsed| parsed.matches(message)), Ok(expected), "{pattern} on {message}");
        }
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let long = "a".repeat(1025);
        for pattern in [
            "connection-reset",
            "?\"not closed",
            "{ $.a = }",
            "{ a = 1 }",
            "{ $.a = 1 } more",
            "{ ($.a = 1 }",
            "{ $.a ~ 1 }",
            "?one two",
            &long,
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
