//! Memory that the kernel fills for one instance is registered with no other.

use zcrx_sys::recv::{BufferRing, ReceiverBuilder};
use zcrx_sys::ring::RingFd;
use zcrx_sys::zcrx::{Area, Device, Ifq};

pub fn as_interface_queue(ring: RingFd<'_>, area: Area) {
    let _ = Ifq::builder(Device::None).register(ring, area);
    let _ = BufferRing::register(ring, 0, area, 4096); //~ E0382
}

pub fn as_receiver(builder: ReceiverBuilder, area: Area) {
    let _ = builder.build_over(area);
    let _ = builder.build_over(area); //~ E0382
}

pub fn added_to_an_instance(ifq: &Ifq, area: Area) {
    let _ = ifq.add_area(area);
    println!("{}", area.len()); //~ E0382
}
