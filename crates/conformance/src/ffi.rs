//! The C face of `include/sut.h`: pointers are checked and turned into slices here, and nowhere
//! else.

#![allow(unsafe_code)]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::{ptr, slice};

use libc::{size_t, socklen_t, ssize_t};

use crate::errno::Errno;
use crate::sut::Sut;

/// A result as C has it: a negative errno for an error.
trait Code {
    fn code(self) -> c_int;
}

impl Code for Result<(), Errno> {
    fn code(self) -> c_int {
        self.map_or_else(|e| -e.0, |()| 0)
    }
}

impl Code for Result<c_int, Errno> {
    fn code(self) -> c_int {
        self.unwrap_or_else(|e| -e.0)
    }
}

fn count(result: Result<usize, Errno>) -> ssize_t {
    match result {
        // No slice is longer than isize::MAX.
        Ok(n) => n as ssize_t,
        Err(e) => -(e.0 as ssize_t),
    }
}

/// The system that `sut` points to.
///
/// # Safety
/// `sut` is null or from [`sut_new`] and not yet freed, and no other reference to it is in use: the
/// header allows one thread at a time.
unsafe fn system<'a>(sut: *mut Sut) -> Result<&'a mut Sut, Errno> {
    // SAFETY: the caller's promise is what `as_mut` asks for.
    unsafe { sut.as_mut() }.ok_or(Errno::EFAULT)
}

/// `len` bytes to read from.
///
/// # Safety
/// `data` is null or points to `len` readable bytes that nobody changes during the call.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Result<&'a [u8], Errno> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Errno::EFAULT);
    }
    if len > isize::MAX as usize {
        return Err(Errno::EINVAL);
    }
    // SAFETY: not null, and `len` is in range; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(data.cast(), len) })
}

/// `len` bytes to write to.
///
/// # Safety
/// `data` is null or points to `len` writable, initialised bytes that nobody else uses during the call.
unsafe fn bytes_mut<'a>(data: *mut c_void, len: usize) -> Result<&'a mut [u8], Errno> {
    if len == 0 {
        return Ok(&mut []);
    }
    if data.is_null() {
        return Err(Errno::EFAULT);
    }
    if len > isize::MAX as usize {
        return Err(Errno::EINVAL);
    }
    // SAFETY: not null, and `len` is in range; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts_mut(data.cast(), len) })
}

/// See `include/sut.h`.
///
/// # Safety
/// `flags` is null or a string that ends in 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_new(local_ip_be: u32, flags: *const c_char, now_us: u64) -> *mut Sut {
    let flags = if flags.is_null() {
        c""
    } else {
        // SAFETY: not null, and the caller promises a string.
        unsafe { CStr::from_ptr(flags) }
    };
    let Ok(flags) = flags.to_str() else {
        eprintln!("sut_new: the flags are not UTF-8");
        return ptr::null_mut();
    };
    match Sut::new(local_ip_be.to_ne_bytes(), flags, now_us) {
        Ok(sut) => {
            for item in &sut.flags.ignored {
                eprintln!("sut_new: {item:?}: there is no such key; passed over");
            }
            Box::into_raw(Box::new(sut))
        }
        Err(error) => {
            eprintln!("sut_new: {error}");
            ptr::null_mut()
        }
    }
}

/// See `include/sut.h`.
///
/// # Safety
/// `sut` is null or from [`sut_new`] and not yet freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_free(sut: *mut Sut) {
    if !sut.is_null() {
        // SAFETY: from `Box::into_raw`, and not freed before: the caller's promise.
        drop(unsafe { Box::from_raw(sut) });
    }
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_socket(sut: *mut Sut) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }.and_then(Sut::socket_new).code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_bind(sut: *mut Sut, h: c_int, ip_be: u32, port: u16) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| s.bind(h, ip_be.to_ne_bytes(), port))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_listen(sut: *mut Sut, h: c_int, backlog: c_int) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| s.listen(h, backlog))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `ip_be` and `port` are each null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_accept(
    sut: *mut Sut,
    h: c_int,
    ip_be: *mut u32,
    port: *mut u16,
) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    let accepted = unsafe { system(sut) }.and_then(|s| s.accept(h));
    accepted
        .map(|(h, peer_ip, peer_port)| {
            // SAFETY: null or writable, says the caller; `write_unaligned` asks no more.
            unsafe {
                if !ip_be.is_null() {
                    ip_be.write_unaligned(u32::from_ne_bytes(peer_ip));
                }
                if !port.is_null() {
                    port.write_unaligned(peer_port);
                }
            }
            h
        })
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_connect(sut: *mut Sut, h: c_int, ip_be: u32, port: u16) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| s.connect(h, ip_be.to_ne_bytes(), port))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_connect_status(sut: *mut Sut, h: c_int) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| s.connect_status(h))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `buf` is null or has `len` writable bytes. With MSG_TRUNC it is not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_read(
    sut: *mut Sut,
    h: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the caller's promise is `system`'s.
    let sut = match unsafe { system(sut) } {
        Ok(sut) => sut,
        Err(e) => return count(Err(e)),
    };
    if flags & libc::MSG_TRUNC != 0 {
        // No more than this can be unread.
        let mut discarded = vec![0; len.min(1 << 30)];
        return count(sut.read(h, &mut discarded, flags));
    }
    // SAFETY: the caller's promise is `bytes_mut`'s.
    count(unsafe { bytes_mut(buf, len) }.and_then(|buf| sut.read(h, buf, flags)))
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `buf` is null or has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_write(
    sut: *mut Sut,
    h: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the caller's promises are `system`'s and `bytes`'.
    count(unsafe {
        system(sut).and_then(|s| bytes(buf, len).and_then(|buf| s.write(h, buf, flags)))
    })
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_shutdown(sut: *mut Sut, h: c_int, how: c_int) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| s.shutdown(h, how))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_close(sut: *mut Sut, h: c_int) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }.and_then(|s| s.close(h)).code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_poll(sut: *mut Sut, h: c_int) -> c_int {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .and_then(|s| Ok(c_int::from(s.poll(h)?.0)))
        .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `len` is null or points to the number of writable bytes at `value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_getsockopt(
    sut: *mut Sut,
    h: c_int,
    level: c_int,
    option: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    if len.is_null() {
        return -libc::EFAULT;
    }
    // SAFETY: not null, and the caller promises the rest; alignment is not asked for.
    let room = unsafe { len.read_unaligned() } as usize;
    // SAFETY: the caller's promises are `system`'s and `bytes_mut`'s.
    let got = unsafe {
        system(sut).and_then(|s| {
            bytes_mut(value, room).and_then(|value| s.getsockopt(h, level, option, value))
        })
    };
    got.map(|n| {
        // SAFETY: as above; `n` is at most `room`, which was a `socklen_t`.
        unsafe { len.write_unaligned(n as socklen_t) }
    })
    .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `value` is null or has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_setsockopt(
    sut: *mut Sut,
    h: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: the caller's promises are `system`'s and `bytes`'.
    unsafe {
        system(sut).and_then(|s| {
            bytes(value, len as usize).and_then(|value| s.setsockopt(h, level, option, value))
        })
    }
    .code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `ip_pkt` is null or has `n` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_input(sut: *mut Sut, ip_pkt: *const c_void, n: size_t) -> c_int {
    // SAFETY: the caller's promises are `system`'s and `bytes`'.
    unsafe { system(sut).and_then(|s| bytes(ip_pkt, n).and_then(|packet| s.input(packet))) }.code()
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`]; `buf` is null or has `cap` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_output(sut: *mut Sut, buf: *mut c_void, cap: size_t) -> ssize_t {
    // SAFETY: the caller's promise is `system`'s.
    let sut = match unsafe { system(sut) } {
        Ok(sut) => sut,
        Err(e) => return count(Err(e)),
    };
    let Some(packet) = sut.host.next_packet() else {
        return 0;
    };
    let len = packet.len();
    if cap < len {
        return count(Err(Errno::EMSGSIZE));
    }
    // SAFETY: the caller's promise is `bytes_mut`'s.
    match unsafe { bytes_mut(buf, len) } {
        Ok(buf) => buf.copy_from_slice(packet),
        Err(e) => return count(Err(e)),
    }
    sut.host.drop_packet();
    count(Ok(len))
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_advance(sut: *mut Sut, now_us: u64) {
    // SAFETY: the caller's promise is `system`'s.
    if let Ok(sut) = unsafe { system(sut) } {
        sut.advance(now_us);
    }
}

/// See `include/sut.h`.
///
/// # Safety
/// As for [`sut_free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sut_next_timer(sut: *mut Sut) -> u64 {
    // SAFETY: the caller's promise is `system`'s.
    unsafe { system(sut) }
        .ok()
        .and_then(Sut::next_timer)
        .unwrap_or(u64::MAX)
}
