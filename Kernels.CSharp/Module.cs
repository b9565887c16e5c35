using System.Runtime.CompilerServices;

// Kernels write what they read: blocks on the stack need not be cleared first, which for short rows would cost more than the work.
[module: SkipLocalsInit]
