using System.Runtime.CompilerServices;
using Akka.Actor;
using Rcmp.Cluster.Nodes;

namespace Rcmp.Tests.Cluster;

[Collection(ClusterCollection.Name)]
public sealed class EndedSystemTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>A rack's own threads outlive its actor systems, of which it has had one for each cluster that it lost.</summary>
    [Fact]
    public async Task AThreadThatHasResolvedReferencesInASystemDoesNotKeepItWhenItHasEnded()
    {
        using var resolved = new SemaphoreSlim(0);
        using var over = new ManualResetEventSlim();
        WeakReference<ActorSystem>? ended = null;
        var thread = new Thread(() =>
        {
            ended = StartAndResolve();
            resolved.Release();
            over.Wait();
        });
        thread.Start();
        try
        {
            await resolved.WaitAsync(TestContext.Current.CancellationToken);
            await EndAsync(ended!);
            await Eventually.TrueAsync(() =>
            {
                GC.Collect();
                return !ended!.TryGetTarget(out _);
            }, "the system to be collected", Patience);
        }
        finally
        {
            over.Set();
            thread.Join();
        }
    }

    /// <summary>What is done by name and not by an interface may be missing in the next version of Akka.</summary>
    [Fact]
    public void AkkaHasTheCacheThatIsCleared() => Assert.Single(EndedSystem.PerThread);

    // Apart, so that no local variable keeps the system.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<ActorSystem> StartAndResolve()
    {
        var system = SystemConfig.Start("ended", SystemConfig.ForClient("127.0.0.1", 0, "fast"), null, "the test's own");
        ((ExtendedActorSystem)system).Provider.ResolveActorRef("akka.tcp://rcmp@127.0.0.1:1/user/rack");
        return new WeakReference<ActorSystem>(system);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Task EndAsync(WeakReference<ActorSystem> started)
    {
        Assert.True(started.TryGetTarget(out var system));
        return EndedSystem.TerminateAsync(system, Patience, TimeSpan.Zero);
    }
}
