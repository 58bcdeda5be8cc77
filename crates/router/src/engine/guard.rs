//! The one place from which an engine is called.
//!
//! An engine parses what strangers send. Should it panic, its own transport ends with a reason and
//! nothing else is touched: what it still had to say is discarded, and it is dropped under a second
//! guard, because its state may be broken.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Engine, EngineError, EngineFactory};
use crate::lookahead::Work;
use std::time::Instant;

/// An engine, or nothing after it panicked.
pub(crate) struct Guarded(Option<Box<dyn Engine>>);

impl Guarded {
    pub(crate) fn create(
        factory: &mut dyn EngineFactory,
        now: Instant,
    ) -> Result<Self, EngineError> {
        match catch_unwind(AssertUnwindSafe(|| factory.create(now))) {
            Ok(engine) => Ok(Self(Some(engine?))),
            Err(cause) => Err(panicked(cause)),
        }
    }

    /// Runs one call. After a panic this and every later call fails.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut dyn Engine) -> Result<R, EngineError>,
    ) -> Result<R, EngineError> {
        let Some(engine) = self.0.as_deref_mut() else {
            return Err(EngineError::Failed("the transport has ended".into()));
        };
        match catch_unwind(AssertUnwindSafe(|| call(engine))) {
            Ok(result) => result,
            Err(cause) => {
                self.discard();
                Err(panicked(cause))
            }
        }
    }

    /// See [`Engine::look_at`]: it only reads, and what is broken is not looked at.
    pub(crate) fn look_at(&self, work: Work) -> u64 {
        self.0.as_deref().map_or(0, |engine| engine.look_at(work))
    }

    fn discard(&mut self) {
        let engine = self.0.take();
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| drop(engine))) {
            let _ = panicked(cause);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.discard();
    }
}

fn panicked(cause: Box<dyn Any + Send>) -> EngineError {
    let message = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown cause")
        .to_owned();
    // A payload may itself panic when dropped; it is leaked rather than trusted.
    std::mem::forget(cause);
    EngineError::Panicked(message)
}
