using System.Reflection;
using Akka.Actor;
using Akka.Remote;

namespace Rcmp.Cluster.Nodes;

/// <summary>What an actor system that has ended leaves behind.</summary>
/// <remarks>Akka keeps what a thread has resolved in a thread-local cache of the system, and the cache refers to the system: so each thread that outlives a system, and has resolved
/// a reference in it, keeps all of it, which is about a MiB. A node makes a new system whenever it has lost its cluster.</remarks>
internal static class EndedSystem
{
    /// <summary>Whoever was about to use the system when it ended has found out by then.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private static readonly Type? CacheType = typeof(RemoteActorRefProvider).Assembly.GetType("Akka.Remote.Serialization.ActorRefResolveThreadLocalCache");

    /// <summary>Terminates the system, and lets go of it later. Returns when it has ended, or after <paramref name="patience"/>.</summary>
    public static async Task TerminateAsync(ActorSystem system, TimeSpan patience, TimeSpan? grace = null)
    {
        var terminated = system.Terminate();
        if (await Task.WhenAny(terminated, Task.Delay(patience)).ConfigureAwait(false) == terminated) _ = ForgetLaterAsync(system, grace ?? Grace);
    }

    private static async Task ForgetLaterAsync(ActorSystem system, TimeSpan grace)
    {
        await Task.Delay(grace).ConfigureAwait(false);
        // Another version of Akka may have none.
        if (CacheType is null || !system.TryGetExtension(CacheType, out var cache)) return;
        foreach (var field in CacheType.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public))
            if (field.GetValue(cache) is IDisposable perThread) perThread.Dispose();
    }
}
