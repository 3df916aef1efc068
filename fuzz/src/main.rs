//! One binary with every fuzz target: `fuzz list`, `fuzz seed TARGET DIR`, `fuzz run TARGET [libFuzzer arguments]`.
//! `fuzz/run` calls it; `docs/decisions/0020-fuzzing.md` says why it is one binary.

#[path = "../../tests/it/laws/activation.rs"]
mod activation;
mod cost;
mod input;
mod laws;
mod mutate;
#[path = "../../tests/rfc/mod.rs"]
mod rfc;
mod seeds;
mod target;
mod targets;
#[path = "../../tests/it/laws/words.rs"]
mod words;

use std::{
    env,
    ffi::{CString, c_char, c_int, c_uint},
    fs,
    path::Path,
    process::ExitCode,
    ptr,
    sync::OnceLock,
};

use target::{Shape, Target};

/// The one that this process runs.
static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn main() -> ExitCode {
    let args: Vec<String> = env::args().collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[1..] {
        ["list"] => targets::ALL.iter().for_each(|target| println!("{:<14} {}", target.name, target.about)),
        ["seed", name, folder] => return seed(name, Path::new(folder)),
        ["run", name, ..] => return run(name, &args),
        _ => {
            eprintln!("usage: fuzz list | fuzz seed TARGET DIR | fuzz run TARGET [libFuzzer arguments]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn find(name: &str) -> Option<&'static Target> {
    let found = targets::ALL.iter().copied().find(|target| target.name == name);
    if found.is_none() {
        eprintln!("there is no target {name:?}; `fuzz list` names them");
    }
    found
}

/// Writes what the fuzzer begins with: the seeds into `DIR/seeds`, the words into `DIR/words`.
fn seed(name: &str, folder: &Path) -> ExitCode {
    let Some(target) = find(name) else { return ExitCode::from(2) };
    let seeds = (target.seeds)();
    let into = folder.join("seeds");
    let written = fs::create_dir_all(&into).and_then(|()| {
        seeds.iter().enumerate().try_for_each(|(at, seed)| fs::write(into.join(format!("{at:04}")), seed))?;
        fs::write(folder.join("words"), mutate::dictionary(target.words))
    });
    match written {
        Ok(()) if seeds.is_empty() => {
            eprintln!("{name} has no seeds");
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The standard library asks this for the keys of its hash tables. They are the same in each process, so that the same
/// input takes the same way and the same seed leads to the same inputs.
///
/// # Safety
/// As the system's: `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller's promise.
    unsafe { ptr::write_bytes(buffer, 7, length) };
    isize::try_from(length).unwrap_or(isize::MAX)
}

unsafe extern "C" {
    fn LLVMFuzzerRunDriver(
        argc: *mut c_int,
        argv: *mut *mut *mut c_char,
        run: unsafe extern "C" fn(*const u8, usize) -> c_int,
    ) -> c_int;
}

fn run(name: &str, args: &[String]) -> ExitCode {
    let Some(target) = find(name) else { return ExitCode::from(2) };
    let _ = CHOSEN.set(target);
    // What is made once is made before it counts.
    (target.run)(b"");
    let length = format!("-max_len={}", target.longest);
    // To minimise, libFuzzer calls itself by what it takes for its name.
    let ours = [format!("{} run {name}", args[0]), length].into_iter().chain(args[3..].iter().cloned());
    let owned: Vec<CString> = ours.filter_map(|arg| CString::new(arg).ok()).collect();
    let mut pointers: Vec<*mut c_char> = owned.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    let mut count = pointers.len() as c_int;
    pointers.push(ptr::null_mut());
    let mut values = pointers.as_mut_ptr();
    // SAFETY: argc and argv are as main() gets them, and live until the driver returns.
    let code = unsafe { LLVMFuzzerRunDriver(&raw mut count, &raw mut values, one) };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

unsafe extern "C" fn one(data: *const u8, size: usize) -> c_int {
    // SAFETY: libFuzzer hands in `size` bytes that live for the call; with none the pointer may be null.
    let data = if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, size) } };
    if let Some(target) = CHOSEN.get() {
        cost::bounded(target, data);
    }
    0
}

// libfuzzer-sys brings libFuzzer and asks for this one; the driver is handed `one`.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        cost::bounded(target, data);
    }
});

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match CHOSEN.get().map(|target| target.shape) {
        Some(Shape::Json { heads }) => mutate::message(data, size, max_size, seed, heads),
        _ => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});
