using System.Runtime.Intrinsics;

namespace Hybrid.Kernels;

/// <content>From operation and type to the compiled loop, for the register width of this machine.</content>
public static unsafe partial class Elementwise
{
    internal static ElementLoop FloatUnary<T>(UnaryOp op)
        where T : unmanaged =>
        op switch
        {
            UnaryOp.Negate => UnaryKernel<T, NegateFunction<T>>(),
            UnaryOp.Abs => UnaryKernel<T, AbsFunction<T>>(),
            UnaryOp.Sign => UnaryKernel<T, SignFunction<T>>(),
            UnaryOp.Exp => UnaryKernel<T, ExpFunction<T>>(),
            UnaryOp.Log => UnaryKernel<T, LogFunction<T>>(),
            UnaryOp.Log1p => UnaryKernel<T, Log1pFunction<T>>(),
            UnaryOp.Expm1 => UnaryKernel<T, Expm1Function<T>>(),
            UnaryOp.Sqrt => UnaryKernel<T, SqrtFunction<T>>(),
            UnaryOp.Reciprocal => UnaryKernel<T, ReciprocalFunction<T>>(),
            UnaryOp.Sin => UnaryKernel<T, SinFunction<T>>(),
            UnaryOp.Cos => UnaryKernel<T, CosFunction<T>>(),
            UnaryOp.Tanh => UnaryKernel<T, TanhFunction<T>>(),
            UnaryOp.Sigmoid => UnaryKernel<T, SigmoidFunction<T>>(),
            UnaryOp.Relu => UnaryKernel<T, ReluFunction<T>>(),
            UnaryOp.Flush => UnaryKernel<T, FlushFunction<T>>(),
            UnaryOp.Floor => UnaryKernel<T, FloorFunction<T>>(),
            UnaryOp.Square => UnaryKernel<T, SquareFunction<T>>(),
            _ => default,
        };

    internal static ElementLoop IntUnary(UnaryOp op) =>
        op switch
        {
            UnaryOp.Negate => UnaryKernel<int, NegateFunction<int>>(),
            UnaryOp.Abs => UnaryKernel<int, AbsFunction<int>>(),
            UnaryOp.Sign => UnaryKernel<int, SignFunction<int>>(),
            UnaryOp.Relu => UnaryKernel<int, ReluFunction<int>>(),
            UnaryOp.Square => UnaryKernel<int, SquareFunction<int>>(),
            _ => default,
        };

    internal static ElementLoop FloatBinary<T>(BinaryOp op)
        where T : unmanaged =>
        op switch
        {
            BinaryOp.Add => BinaryKernel<T, AddFunction<T>>(),
            BinaryOp.Subtract => BinaryKernel<T, SubtractFunction<T>>(),
            BinaryOp.Multiply => BinaryKernel<T, MultiplyFunction<T>>(),
            BinaryOp.Divide => BinaryKernel<T, DivideFunction<T>>(),
            BinaryOp.Power => BinaryKernel<T, PowerFunction<T>>(),
            BinaryOp.Maximum => BinaryKernel<T, MaximumFunction<T>>(),
            BinaryOp.Minimum => BinaryKernel<T, MinimumFunction<T>>(),
            _ => default,
        };

    internal static ElementLoop IntBinary(BinaryOp op) =>
        op switch
        {
            BinaryOp.Add => BinaryKernel<int, AddFunction<int>>(),
            BinaryOp.Subtract => BinaryKernel<int, SubtractFunction<int>>(),
            BinaryOp.Multiply => BinaryKernel<int, MultiplyFunction<int>>(),
            BinaryOp.Maximum => BinaryKernel<int, MaximumFunction<int>>(),
            BinaryOp.Minimum => BinaryKernel<int, MinimumFunction<int>>(),
            _ => default,
        };

    internal static ElementLoop CompareKernel<T>(CompareOp op)
        where T : unmanaged =>
        op switch
        {
            CompareOp.Equal => CompareKernel<T, EqualFunction<T>>(),
            CompareOp.NotEqual => CompareKernel<T, NotEqualFunction<T>>(),
            CompareOp.Less => CompareKernel<T, LessFunction<T>>(),
            CompareOp.LessEqual => CompareKernel<T, LessEqualFunction<T>>(),
            _ => default,
        };

    internal static ElementLoop UnaryKernel<T, F>()
        where T : unmanaged
        where F : struct, IUnaryFunction<T>
    {
        if (CpuFeatures.Has512)
        {
            return UnaryLoop<Simd512<T>, Vector512<T>, T, F>.Loop;
        }

        return CpuFeatures.Has256 ? UnaryLoop<Simd256<T>, Vector256<T>, T, F>.Loop : UnaryLoop<Simd128<T>, Vector128<T>, T, F>.Loop;
    }

    internal static ElementLoop BinaryKernel<T, F>()
        where T : unmanaged
        where F : struct, IBinaryFunction<T>
    {
        if (CpuFeatures.Has512)
        {
            return BinaryLoop<Simd512<T>, Vector512<T>, T, F>.Loop;
        }

        return CpuFeatures.Has256 ? BinaryLoop<Simd256<T>, Vector256<T>, T, F>.Loop : BinaryLoop<Simd128<T>, Vector128<T>, T, F>.Loop;
    }

    internal static ElementLoop SelectKernel<T>()
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            return SelectLoop<Simd512<T>, Vector512<T>, T>.Loop;
        }

        return CpuFeatures.Has256 ? SelectLoop<Simd256<T>, Vector256<T>, T>.Loop : SelectLoop<Simd128<T>, Vector128<T>, T>.Loop;
    }

    internal static ElementLoop BytesKernel<T>()
        where T : unmanaged
    {
        if (CpuFeatures.Has512)
        {
            return BytesLoop<Simd512<T>, Vector512<T>, T>.Loop;
        }

        return CpuFeatures.Has256 ? BytesLoop<Simd256<T>, Vector256<T>, T>.Loop : BytesLoop<Simd128<T>, Vector128<T>, T>.Loop;
    }

    internal static ElementLoop CompareKernel<T, F>()
        where T : unmanaged
        where F : struct, IBinaryFunction<T>
    {
        if (CpuFeatures.Has512)
        {
            return CompareLoop<Simd512<T>, Vector512<T>, T, F>.Loop;
        }

        return CpuFeatures.Has256 ? CompareLoop<Simd256<T>, Vector256<T>, T, F>.Loop : CompareLoop<Simd128<T>, Vector128<T>, T, F>.Loop;
    }
}
