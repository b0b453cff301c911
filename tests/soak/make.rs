//! Receivers as they are planned.

use std::time::Duration;

use zcrx_sys::recv::{Receiver, ReceiverBuilder, Source};
use zcrx_sys::zcrx::{interface_index, RefillRegion};

use super::common::streams::QUEUE;
use super::plan::{Options, Over};

impl Options {
    /// A receiver made by these.
    pub fn receiver(&self, over: Over) -> Receiver {
        let source = match over {
            Over::Buffers => Source::Buffers,
            Over::NoDevice => Source::NoDevice,
            Over::Queue => Source::Queue {
                interface: interface_index("snic0").unwrap(),
                queue: QUEUE,
            },
        };
        let mut builder = self.apply(Receiver::builder()).source(source);
        let area = self.chunks * u64::from(self.chunk);
        builder = builder.area_len(area as usize).grow_to(area * self.grow);
        if over == Over::Buffers {
            builder = builder.chunk_len(self.chunk);
        }
        if self.large {
            builder = builder.prefer_chunk_len(32 << 10);
        }
        if let Some(entries) = self.refill_entries {
            builder = builder.refill_entries(entries);
        }
        if self.kernels_refill_region {
            builder = builder.refill_region(RefillRegion::Kernel);
        }
        builder.build().unwrap()
    }

    /// Sets what concerns the ring and waits.
    pub fn apply(&self, mut builder: ReceiverBuilder) -> ReceiverBuilder {
        if let Some(entries) = self.completion_entries {
            builder = builder.completion_entries(entries);
        }
        if let Some(layout) = self.layout {
            builder = builder.layout(layout);
        }
        if let Some(chunks) = self.batch {
            builder = builder.batch(chunks, Duration::from_micros(200));
        }
        if self.spin {
            builder = builder.spin(Duration::from_micros(20));
        }
        builder
    }

    /// A receiver of nothing, to stand where the real one has ended.
    pub fn spare() -> Receiver {
        let builder = Receiver::builder().source(Source::Buffers);
        builder
            .area_len(4096)
            .chunk_len(4096)
            .completion_entries(2)
            .build()
            .unwrap()
    }
}
