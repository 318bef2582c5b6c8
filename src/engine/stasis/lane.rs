//! Operations that must happen one after the other.

use std::collections::VecDeque;
use std::future::pending;

use futures_util::future::BoxFuture;

/// A queue of operations of which one runs at a time, in order.
pub(super) struct Lane<T> {
    running: Option<BoxFuture<'static, T>>,
    waiting: VecDeque<BoxFuture<'static, T>>,
}

impl<T> Lane<T> {
    pub(super) const fn new() -> Self {
        Self {
            running: None,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, operation: impl Future<Output = T> + Send + 'static) {
        self.waiting.push_back(Box::pin(operation));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// The result of the operation that ends next; never without one. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> T {
        loop {
            if let Some(operation) = &mut self.running {
                let result = operation.await;
                self.running = None;
                return result;
            }
            match self.waiting.pop_front() {
                Some(operation) => self.running = Some(operation),
                None => pending().await,
            }
        }
    }
}

impl<T> std::fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let running = usize::from(self.running.is_some());
        write!(f, "Lane({} operations)", running + self.waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_one_operation_at_a_time_and_in_order() {
        let mut lane = Lane::new();
        let (open, gate) = tokio::sync::oneshot::channel::<()>();
        lane.push(async move {
            let _ = gate.await;
            1
        });
        lane.push(async { 2 });
        tokio::select! {
            biased;
            result = lane.next() => panic!("{result} although the first waits"),
            () = std::future::ready(()) => {}
        }
        open.send(()).expect("the operation waits");
        assert_eq!((lane.next().await, lane.next().await), (1, 2));
        assert!(lane.is_empty());
    }
}
