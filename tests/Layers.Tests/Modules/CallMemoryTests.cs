using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Hybrid.Core;
using Hybrid.Kernels;
using Hybrid.Layers.Tests.Support;
using Xunit;

namespace Hybrid.Layers.Tests.Modules;

/// <summary>Which Call a backward by hand finds for an input, and how long a module remembers it.</summary>
public sealed class CallMemoryTests
{
    [Fact]
    public void The_Call_of_an_input_is_found_until_mode_or_parameters_change()
    {
        var x = Numbers.Normal(8, 4, 2);
        var module = new Counting();
        module.Forward(x);
        module.BackwardDelta(x, x);
        module.BackwardUpdateGradient(x, x);
        Assert.Equal(1, module.Computed);

        module.BackwardDelta(x.Detach(), x); // Another tensor, though of the same value.
        Assert.Equal(2, module.Computed);

        using (Mode.Evaluation())
            module.BackwardDelta(x, x);
        Assert.Equal(3, module.Computed);

        module.UpdateParameters(0.1);
        module.BackwardDelta(x, x);
        Assert.Equal(4, module.Computed);

        using (Mode.NoGrad())
            module.Forward(x);
        Assert.Equal(5, module.Computed);
        module.BackwardDelta(x, x); // NoGrad kept nothing; the Call from before it is still the parameters'.
        Assert.Equal(5, module.Computed);
        var other = Numbers.Normal(12, 4, 2);
        using (Mode.NoGrad())
            module.Forward(other);
        module.BackwardDelta(other, x);
        Assert.Equal(7, module.Computed);
    }

    [Fact]
    public void Calls_of_several_inputs_are_found_in_any_order_until_an_update()
    {
        var module = new Counting();
        var inputs = Enumerable.Range(0, 4).Select(i => Numbers.Normal((ulong)(50 + i), 4, 2)).ToArray();
        for (var round = 1; round <= 2; round++)
        {
            var calls = new Dictionary<int, int>();
            foreach (var i in new[] { 0, 1, 2, 1, 3 })
            {
                module.Forward(inputs[i]); // Once more for the second input, whose latest Call counts.
                calls[i] = module.Computed;
            }
            foreach (var i in new[] { 2, 0, 3, 1, 1, 0 })
                Assert.Equal(calls[i], module.SavedBy(inputs[i]));
            module.BackwardUpdateGradient(inputs[3], inputs[3]);
            Assert.Equal(5 * round, module.Computed);
            module.UpdateParameters(0.1);
        }
        foreach (var x in inputs)
            module.BackwardDelta(x, x);
        Assert.Equal(14, module.Computed);
    }

    [Fact]
    public void Remembered_Calls_keep_neither_inputs_nor_graphs_alive()
    {
        var module = new Counting();
        var kept = Numbers.Normal(60, 4, 2);
        var calls = Entered(module, kept); // Of an input that lives on, and of three that do not, the last being the latest.
        Collect();
        Assert.Equal([true, false, false, false], calls.Select(call => call.IsAlive));
        module.BackwardUpdateGradient(kept, kept);
        Assert.Equal(4, module.Computed);

        module.UpdateParameters(0.1);
        Assert.True(Alone(() => module.Forward(Numbers.Normal(64, 4, 2))));
        Collect();
        Assert.Equal([false, false, false, false], calls.Select(call => call.IsAlive)); // Its weights are those of before the update.

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference[] Entered(Counting module, Tensor kept) =>
            [
                .. new[] { kept, Numbers.Normal(61, 4, 2), Numbers.Normal(62, 4, 2), Numbers.Normal(63, 4, 2) }.Select(x =>
                    CallMemoryTests.Entered(module, x)
                ),
            ];

        [MethodImpl(MethodImplOptions.NoInlining)]
        static bool Alone(Func<Tensor> forward) => forward().Shape.Rank == 2;
    }

    [Fact]
    public void A_later_Call_of_an_input_takes_the_place_of_the_one_before()
    {
        var module = new Counting();
        var inputs = new[] { Numbers.Normal(70, 4, 2), Numbers.Normal(71, 4, 2) };
        var calls = Enumerable.Range(0, 6).Select(i => Entered(module, inputs[i % 2])).ToArray();
        Collect();
        Assert.Equal([false, false, false, false, true, true], calls.Select(call => call.IsAlive));
        GC.KeepAlive(inputs);
    }

    [Fact]
    public void Threads_that_share_a_module_find_their_own_Calls()
    {
        var module = new ReturnsItsInput();
        var inputs = Enumerable.Range(0, 100).Select(i => Numbers.Normal((ulong)i, 1)).ToArray();
        var failures = new ConcurrentBag<string>();
        var threads = Enumerable.Range(0, 4).Select(thread => new Thread(() => Enter(thread))).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        Assert.Empty(failures);

        void Enter(int thread)
        {
            try
            {
                for (var i = thread; i < 20_000; i++)
                {
                    var x = i % 2 == 0 ? inputs[i % 100] : Tensor.Scalar(i, ElementType.Float64);
                    module.Forward(x);
                    Assert.Equal(x.ToDoubles(), module.BackwardDelta(x, x).ToDoubles());
                }
            }
            catch (Exception error)
            {
                failures.Add(error.ToString());
            }
        }
    }

    [Fact]
    public void After_an_update_delta_is_that_of_the_new_weights()
    {
        var layer = new Linear(2, 2, seed: 1, type: ElementType.Float64);
        var x = Numbers.Normal(9, 3, 2);
        layer.Forward(x);
        layer.BackwardUpdateGradient(x, x);
        layer.UpdateParameters(0.5);
        Numbers.AssertClose(x.MatMul(layer.Weight.Value).ToDoubles(), layer.BackwardDelta(x, x).ToDoubles(), 0, "delta");
    }

    [Fact]
    public void A_compiled_step_by_hand_leaves_no_Call_behind()
    {
        var layer = new Linear(2, 2, seed: 1, type: ElementType.Float64);
        var x = Numbers.Normal(11, 3, 2);
        var compiled = new CompiledFunction(_ => [layer.Forward(x).Sum()]);
        compiled.Invoke(x);
        Numbers.AssertClose(x.MatMul(layer.Weight.Value).ToDoubles(), layer.BackwardDelta(x, x).ToDoubles(), 0, "delta");
    }

    // What a new Call saved.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Entered(Counting module, Tensor x)
    {
        module.Forward(x);
        return new(module.SavedBy(x));
    }

    private static void Collect()
    {
        for (var i = 0; i < 3; i++) // A table lets go of its entries when it is finalized for the second time.
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private sealed class ReturnsItsInput : Module
    {
        protected override Tensor Compute(Tensor x) => x;

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas) => [call.Inputs[0]];
    }

    private sealed class Counting : Module
    {
        private readonly Cell scale = new("scale", Numbers.Normal(44, 2));

        private readonly WeakReference saved = new(null);

        public int Computed { get; private set; }

        // What Compute saved in the Call that a backward uses.
        public object SavedBy(Tensor x)
        {
            BackwardDelta(x, x);
            return saved.Target!;
        }

        protected override Tensor Compute(Tensor x)
        {
            Computed++;
            Current.Saved = Computed;
            return x * scale.Value;
        }

        protected override Tensor?[] Backward(Call call, Tensor?[] deltas)
        {
            saved.Target = call.Saved;
            Accumulate(scale, (deltas[0]! * call.Inputs[0]).Sum(0));
            return [deltas[0]! * call.ParameterValues[0]];
        }
    }
}
