//! The one door between Rust and R: value, failure or panic become an R value.
//!
//! extendr 0.9.0 raises errors through a C format string and aborts on a NUL byte,
//! so nothing here ever raises. A failure is returned as
//! `list(kind, message, fields)` of class `fatecast_failure`; R's `.unwrap()`
//! makes the condition.

use extendr_api::prelude::*;
use fatecast_core::error::{CoreError, Field};
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs the body of an exported function; whatever happens is a value.
pub fn guard<F>(body: F) -> Robj
where
    F: FnOnce() -> fatecast_core::Result<Robj>,
{
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => value,
        Ok(Err(e)) => failure(e.kind(), &e.to_string(), e.fields()),
        Err(payload) => failure("internal", &panic_text(payload.as_ref()), vec![]),
    }
}

/// The error for an argument that R's checks should have refused: a backstop.
pub fn malformed(what: &str) -> CoreError {
    CoreError::Shape {
        what: format!("the argument {what} of a native call"),
        expected: 1,
        found: 0,
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_string())
}

/// R strings end at a NUL byte, and extendr aborts on one.
fn printable(text: &str) -> String {
    text.replace('\0', "\\0")
}

fn failure(kind: &str, message: &str, fields: Vec<(&'static str, Field)>) -> Robj {
    let (names, values): (Vec<&str>, Vec<Robj>) = fields
        .into_iter()
        .map(|(name, field)| {
            let value: Robj = match field {
                Field::Number(v) => v.into(),
                Field::Text(t) => printable(&t).into(),
                Field::Cells(cells) => cells.iter().map(|&c| c as f64).collect_robj(),
            };
            (name, value)
        })
        .unzip();
    let fields = List::from_names_and_values(names, values).map_or_else(|_| r!(NULL), Robj::from);
    let mut list = Robj::from(list!(
        kind = kind,
        message = printable(message),
        fields = fields
    ));
    // A class attribute on a fresh list cannot fail.
    let _ = list.set_class(["fatecast_failure"]);
    list
}
