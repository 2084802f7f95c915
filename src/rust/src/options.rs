//! Named options of a verb, as R passes them in one list.

use crate::boundary::malformed;
use extendr_api::prelude::*;
use fatecast_core::Result;
use std::collections::HashMap;

/// A named list. What R's side checked and still is not there is malformed.
pub struct Options(HashMap<String, Robj>);

impl Options {
    pub fn new(list: &List) -> Options {
        let named = list.iter().map(|(name, value)| (name.to_string(), value));
        Options(named.collect())
    }

    fn get(&self, name: &'static str) -> Result<&Robj> {
        self.0.get(name).ok_or_else(|| malformed(name))
    }

    /// A value that may be NULL.
    pub fn optional(&self, name: &str) -> Option<&Robj> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn number(&self, name: &'static str) -> Result<f64> {
        let value = self.get(name)?;
        let whole = || value.as_integer().map(f64::from);
        value
            .as_real()
            .or_else(whole)
            .ok_or_else(|| malformed(name))
    }

    /// A number, or NULL.
    pub fn maybe(&self, name: &'static str) -> Result<Option<f64>> {
        match self.0.get(name) {
            Some(value) if !value.is_null() => self.number(name).map(Some),
            _ => Ok(None),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, name: &'static str) -> Result<usize> {
        self.number(name).map(|v| v as usize)
    }

    pub fn seed(&self) -> Result<u64> {
        self.number("seed").map(|v| v as u64)
    }

    pub fn flag(&self, name: &'static str) -> Result<bool> {
        self.get(name)?.as_bool().ok_or_else(|| malformed(name))
    }

    pub fn text(&self, name: &'static str) -> Result<&str> {
        self.get(name)?.as_str().ok_or_else(|| malformed(name))
    }

    pub fn numbers(&self, name: &'static str) -> Result<&[f64]> {
        self.get(name)?
            .as_real_slice()
            .ok_or_else(|| malformed(name))
    }

    pub fn list(&self, name: &'static str) -> Result<List> {
        self.get(name)?.as_list().ok_or_else(|| malformed(name))
    }

    /// Codes counted from zero.
    pub fn codes(&self, name: &'static str) -> Result<Vec<u32>> {
        let values = self.get(name)?.as_integer_slice();
        let values = values.ok_or_else(|| malformed(name))?;
        Ok(values.iter().map(|&v| v.max(0) as u32).collect())
    }
}
