//! Size classes of small objects: steps of a fifth to a half, each a multiple of 16, and all powers
//! of two among them.

use core::alloc::Layout;

/// Bytes of an object of each class.
pub(crate) const SIZES: [u16; 19] =
    [16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536, 2048];
/// Number of classes.
pub(crate) const COUNT: usize = SIZES.len();
/// Largest small object.
pub(crate) const MAX_SIZE: usize = SIZES[COUNT - 1] as usize;
/// Every class is a multiple of this.
const STEP: usize = 16;

/// The class of an object of up to (i + 1) × 16 bytes.
const BY_STEP: [u8; MAX_SIZE / STEP] = {
    let mut table = [0; MAX_SIZE / STEP];
    let (mut step, mut class) = (0, 0);
    while step < table.len() {
        if (step + 1) * STEP > SIZES[class] as usize {
            class += 1;
        }
        table[step] = class as u8;
        step += 1;
    }
    table
};

/// The class that serves a layout, or `None` if it takes whole pages. Objects of a class lie at
/// multiples of its size from an aligned start, so a power of two is aligned to itself.
#[inline]
pub(crate) fn of(layout: Layout) -> Option<usize> {
    let size = if layout.align() <= STEP {
        layout.size()
    } else {
        layout.size().max(layout.align()).checked_next_power_of_two()?
    };
    BY_STEP.get(size.saturating_sub(1) / STEP).map(|&class| usize::from(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_class_that_fits() {
        for size in 1..3000 {
            let expected = SIZES.iter().position(|&class| usize::from(class) >= size);
            assert_eq!(of(Layout::from_size_align(size, 8).unwrap()), expected);
            for align in [32, 64, 256, 1024, 2048, 4096] {
                if let Some(class) = of(Layout::from_size_align(size, align).unwrap()) {
                    let class = usize::from(SIZES[class]);
                    assert!(class >= size && class % align == 0, "{size} {align} {class}");
                }
            }
        }
        assert_eq!(of(Layout::from_size_align(1, 4096).unwrap()), None);
        assert_eq!(of(Layout::from_size_align(isize::MAX as usize - 4095, 4096).unwrap()), None);
    }
}
