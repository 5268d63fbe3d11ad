using System.Runtime.ExceptionServices;

namespace Rcmp.Tests;

/// <summary>Carries something out that must end: a loop without end fails its test and does not hang the run.</summary>
internal static class Bounded
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static void Run(string what, Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        Assert.True(thread.Join(Patience), $"{what}: no end after {Patience.TotalSeconds} s");
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>The refusal, or null if it went well; any other exception than the pool's own fails the test.</summary>
    public static PoolException? Refusal(string what, Action action)
    {
        try
        {
            Run(what, action);
            return null;
        }
        catch (PoolException refusal)
        {
            Assert.DoesNotContain('\n', refusal.Message);
            return refusal;
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{what}: {e.GetType().Name}: {e.Message}", e);
        }
    }
}
