//! Everything that can go wrong because of a user's data, one variant per cause.
//!
//! Contract violations by our own code are `debug_assert!`s; the rest arrives
//! here. A message is lower case, one sentence, no advice: R adds what it knows
//! (argument, container, what to do next). [`CoreError::kind`] is the stable name
//! from which R makes the condition class, [`CoreError::fields`] its members.

use thiserror::Error;

/// Result of every fallible function of the core.
pub type Result<T> = std::result::Result<T, CoreError>;

/// How many offending indices an error carries; counts are always complete.
pub const SHOWN: usize = 10;

/// A failure caused by the data or the arguments, with the facts of the case.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CoreError {
    /// Two sizes that must agree do not.
    #[error("{what} has size {found}, expected {expected}")]
    Shape {
        what: String,
        expected: usize,
        found: usize,
    },
    /// An argument lies outside the values it may take.
    #[error("{what} is {value}, outside its range: {allowed}")]
    Range {
        what: String,
        value: f64,
        allowed: String,
    },
    /// A choice that others rule out.
    #[error("{what} is {value}, which {reason}")]
    Choice {
        what: String,
        value: String,
        reason: String,
    },
    /// NaN or infinite values where finite ones are needed.
    #[error("{what} has {count} values that are not finite")]
    NotFinite {
        what: String,
        count: usize,
        cells: Vec<usize>,
    },
    /// A transition matrix with negative entries.
    #[error("{count} entries of the transition matrix are negative")]
    Negative { count: usize, cells: Vec<usize> },
    /// A graph with negative weights where none are allowed.
    #[error("{count} edge weights are negative")]
    NegativeWeights { count: usize, cells: Vec<usize> },
    /// Rows that do not sum to one, also after normalisation.
    #[error("{count} rows of the transition matrix do not sum to one")]
    NotStochastic { count: usize, cells: Vec<usize> },
    /// A graph whose edges weigh differently in the two directions.
    #[error(
        "{what} is not symmetric: it differs from its transpose by {difference:e} of its norm"
    )]
    NotSymmetric { what: String, difference: f64 },
    /// Cells without any neighbour in the graph.
    #[error("{count} cells have no neighbour in the graph")]
    Isolated { count: usize, cells: Vec<usize> },
    /// Cells whose edges all went when the graph was biased by time.
    #[error("{count} cells keep no edge once the graph is biased by time")]
    NoEdgeLeft { count: usize, cells: Vec<usize> },
    /// Cells with fewer neighbours than are needed.
    #[error("{count} cells have fewer than {needed} neighbours")]
    FewNeighbors {
        needed: usize,
        count: usize,
        cells: Vec<usize>,
    },
    /// Cells that name a neighbour twice.
    #[error("{count} cells name a neighbour more than once")]
    RepeatedNeighbors { count: usize, cells: Vec<usize> },
    /// A graph or chain that falls apart where one piece is needed.
    #[error("the graph has {components} components")]
    Disconnected { components: usize },
    /// Cells from which no terminal state can be reached.
    #[error("{count} cells cannot reach any terminal state")]
    Unreachable { count: usize, cells: Vec<usize> },
    /// An iteration that ended above its tolerance.
    #[error("{what} did not converge: relative residual {residual:e} after {iterations} iterations, tolerance {tolerance:e}")]
    NotConverged {
        what: String,
        iterations: usize,
        residual: f64,
        tolerance: f64,
    },
    /// A matrix without an inverse, or one too ill conditioned to use.
    #[error("{what} is singular (condition number {condition:e})")]
    Singular { what: String, condition: f64 },
    /// No macrostate, terminal state or direction could be determined.
    #[error("{reason}")]
    NoState { reason: String },
    /// Memory that could not be reserved.
    #[error("{bytes} bytes could not be reserved for {what}")]
    Memory { what: String, bytes: u64 },
    /// A sparse result with more entries than R's sparse matrices can index.
    #[error("{entries} stored entries exceed the {limit} that a sparse matrix of R can hold")]
    TooManyEntries { entries: usize, limit: usize },
    /// The thread pool could not be made.
    #[error("a pool of {threads} threads could not be started: {reason}")]
    Threads { threads: usize, reason: String },
    /// The user asked to stop.
    #[error("stopped by the user")]
    Interrupted,
}

/// A fact that travels with an error into R.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Number(f64),
    Text(String),
    /// 0-based cell indices.
    Cells(Vec<usize>),
}

impl CoreError {
    /// The stable name of the failure: `fatecast_error_<kind>` in R.
    pub fn kind(&self) -> &'static str {
        match self {
            CoreError::Shape { .. } => "shape",
            CoreError::Range { .. }
            | CoreError::Choice { .. }
            | CoreError::RepeatedNeighbors { .. }
            | CoreError::NotFinite { .. }
            | CoreError::NegativeWeights { .. }
            | CoreError::NotSymmetric { .. } => "range",
            CoreError::Negative { .. } | CoreError::NotStochastic { .. } => "not_stochastic",
            CoreError::Isolated { .. }
            | CoreError::NoEdgeLeft { .. }
            | CoreError::FewNeighbors { .. }
            | CoreError::Disconnected { .. } => "disconnected",
            CoreError::Unreachable { .. } => "unreachable",
            CoreError::NotConverged { .. } => "not_converged",
            CoreError::Singular { .. } => "singular",
            CoreError::NoState { .. } => "no_state",
            CoreError::Memory { .. } | CoreError::TooManyEntries { .. } => "memory",
            CoreError::Threads { .. } => "threads",
            CoreError::Interrupted => "interrupted",
        }
    }

    /// The facts of the case by name, in a fixed order.
    pub fn fields(&self) -> Vec<(&'static str, Field)> {
        let number = |v: usize| Field::Number(v as f64);
        let text = |v: &String| Field::Text(v.clone());
        match self {
            CoreError::Shape {
                what,
                expected,
                found,
            } => vec![
                ("what", text(what)),
                ("expected", number(*expected)),
                ("found", number(*found)),
            ],
            CoreError::Range {
                what,
                value,
                allowed,
            } => vec![
                ("what", text(what)),
                ("value", Field::Number(*value)),
                ("allowed", text(allowed)),
            ],
            CoreError::Choice {
                what,
                value,
                reason,
            } => vec![
                ("what", text(what)),
                ("value", text(value)),
                ("reason", text(reason)),
            ],
            CoreError::FewNeighbors {
                needed,
                count,
                cells,
            } => vec![
                ("needed", number(*needed)),
                ("count", number(*count)),
                ("cells", Field::Cells(cells.clone())),
            ],
            CoreError::NotFinite { what, count, cells } => vec![
                ("what", text(what)),
                ("count", number(*count)),
                ("cells", Field::Cells(cells.clone())),
            ],
            CoreError::Negative { count, cells }
            | CoreError::NegativeWeights { count, cells }
            | CoreError::NotStochastic { count, cells }
            | CoreError::Isolated { count, cells }
            | CoreError::NoEdgeLeft { count, cells }
            | CoreError::RepeatedNeighbors { count, cells }
            | CoreError::Unreachable { count, cells } => vec![
                ("count", number(*count)),
                ("cells", Field::Cells(cells.clone())),
            ],
            CoreError::NotSymmetric { what, difference } => vec![
                ("what", text(what)),
                ("difference", Field::Number(*difference)),
            ],
            CoreError::Disconnected { components } => vec![("components", number(*components))],
            CoreError::NotConverged {
                what,
                iterations,
                residual,
                tolerance,
            } => vec![
                ("what", text(what)),
                ("iterations", number(*iterations)),
                ("residual", Field::Number(*residual)),
                ("tolerance", Field::Number(*tolerance)),
            ],
            CoreError::Singular { what, condition } => vec![
                ("what", text(what)),
                ("condition", Field::Number(*condition)),
            ],
            CoreError::NoState { .. } | CoreError::Interrupted => vec![],
            CoreError::Memory { what, bytes } => vec![
                ("what", text(what)),
                ("bytes", Field::Number(*bytes as f64)),
            ],
            CoreError::TooManyEntries { entries, limit } => {
                vec![("entries", number(*entries)), ("limit", number(*limit))]
            }
            CoreError::Threads { threads, reason } => {
                vec![("threads", number(*threads)), ("reason", text(reason))]
            }
        }
    }
}

/// A vector of `n` copies of `value`, or [`CoreError::Memory`] when the machine
/// cannot give that much. Every buffer that grows with the data is made here.
pub fn try_filled<T: Clone>(n: usize, value: T, what: &str) -> Result<Vec<T>> {
    let mut v = try_with_capacity(n, what)?;
    v.resize(n, value);
    Ok(v)
}

/// An empty vector with room for `n` items, or [`CoreError::Memory`].
pub fn try_with_capacity<T>(n: usize, what: &str) -> Result<Vec<T>> {
    let mut v = Vec::new();
    v.try_reserve_exact(n).map_err(|_| CoreError::Memory {
        what: what.to_string(),
        bytes: (n as u64).saturating_mul(std::mem::size_of::<T>() as u64),
    })?;
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        let e = try_filled(usize::MAX / 16, 0f64, "a test").unwrap_err();
        assert_eq!(e.kind(), "memory");
    }
}
