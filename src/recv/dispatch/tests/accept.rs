//! Listeners.

use super::*;

#[test]
fn a_listener_survives_what_befalls_a_connection() {
    let mut own = setup();
    let id = own.active(Role::Listener);
    for (flags, phase) in [
        (IORING_CQE_F_MORE, Phase::Active),
        (0, Phase::Paused(Pause::Interrupted)),
    ] {
        let raw = Fd::duplicate(2).unwrap().into_raw();
        let event = own.completion(&Cqe::narrow(id.user_data(), raw, flags));
        let Some(Event::Accepted {
            listener,
            connection,
        }) = event
        else {
            panic!("{event:?}");
        };
        assert_eq!((listener, connection.as_raw()), (id, raw));
        assert_eq!(own.phase(id), phase);
    }
    assert_eq!(own.rearm, [id]);
    for (errno, pause) in [
        (libc::ECONNABORTED, Pause::Interrupted),
        (libc::EHOSTUNREACH, Pause::Interrupted),
        (libc::EMFILE, Pause::PoolDry),
        (libc::ENOBUFS, Pause::PoolDry),
    ] {
        own.table.get_mut(id).unwrap().phase = Phase::Active;
        assert!(own.terminal(id, -errno).is_none());
        assert_eq!(own.phase(id), Phase::Paused(pause), "{errno}");
    }
    for (errno, end) in [
        (libc::ECANCELED, End::Cancelled),
        (libc::EINVAL, End::Failed(Errno::INVAL)),
    ] {
        let id = own.active(Role::Listener);
        assert!(own.terminal(id, -errno).is_none());
        assert_eq!(own.ended(), Some((id, end)));
    }
}

#[test]
fn a_connection_that_comes_for_an_ending_listener_is_closed() {
    let mut own = setup();
    let id = own.active(Role::Listener);
    own.after(id, Next::Ended(End::Malformed), true);
    let raw = Fd::duplicate(2).unwrap().into_raw();
    let event = own.completion(&Cqe::narrow(id.user_data(), raw, IORING_CQE_F_MORE));
    assert!(event.is_none());
    assert_eq!(own.ended(), None);
    assert!(own.terminal(id, -libc::ECANCELED).is_none());
    assert_eq!(own.ended(), Some((id, End::Malformed)));
}
