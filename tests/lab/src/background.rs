//! Threads that work until they are told to end, and what they have seen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// What the threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared<T> {
    seen: Mutex<T>,
    over: AtomicBool,
}

impl<T> Shared<T> {
    /// Takes hold of what has been seen; a panic elsewhere has not harmed it.
    pub(crate) fn hold(&self) -> MutexGuard<'_, T> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether the threads are to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// The threads; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Background<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T: Clone + Default + Send + 'static> Background<T> {
    /// Starts a thread for each of these.
    pub(crate) fn start<W>(work: impl IntoIterator<Item = W>) -> Self
    where
        W: FnOnce(&Shared<T>) + Send + 'static,
    {
        let shared = Arc::<Shared<T>>::default();
        let threads = work.into_iter().map(|work| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared))
        });
        let threads = threads.collect();
        Self { shared, threads }
    }

    /// Returns what has been seen so far.
    pub(crate) fn seen(&self) -> T {
        self.shared.hold().clone()
    }

    /// Waits for the end of the threads, and returns all that was seen.
    pub(crate) fn stop(mut self) -> T {
        self.end();
        self.seen()
    }
}

impl<T> Background<T> {
    fn end(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there has been shown; what was seen still counts.
            let _ = thread.join();
        }
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.end();
    }
}
