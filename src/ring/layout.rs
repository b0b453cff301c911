//! Layouts as types, for loops that are compiled for one of them.

use super::cqe::CqeLayout;

mod sealed {
    pub trait Sealed {}
}

/// A layout of completion queues that is known when a loop over one is compiled: [`Wide`], [`Mixed`] or [`Narrow`]; or
/// [`Any`].
pub trait Layout: sealed::Sealed {
    /// The layout, where `queues` is that of the queue.
    fn of(queues: CqeLayout) -> CqeLayout;
}

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident: $queues:ident => $layout:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl sealed::Sealed for $name {}

        impl Layout for $name {
            #[inline(always)]
            fn of($queues: CqeLayout) -> CqeLayout {
                $layout
            }
        }
    )*};
}

layouts! {
    /// [`CqeLayout::Wide`].
    Wide: _queues => CqeLayout::Wide;
    /// [`CqeLayout::Mixed`].
    Mixed: _queues => CqeLayout::Mixed;
    /// [`CqeLayout::Narrow`].
    Narrow: _queues => CqeLayout::Narrow;
    /// Whichever the queue has.
    Any: queues => queues;
}
