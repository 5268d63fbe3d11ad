using System.Reflection;
using Akka.Actor;
using Akka.Remote;

namespace Rcmp.Cluster.Nodes;

/// <summary>What an actor system that has ended leaves behind.</summary>
/// <remarks>Akka keeps what a thread has resolved in a thread-local cache of the system, and the cache refers to the system: so each thread that outlives a system, and has resolved
/// a reference in it, keeps all of it, which is a MiB or two. A node makes a new system whenever it has lost its cluster.</remarks>
internal static class EndedSystem
{
    /// <summary>Whoever was about to use the system when it ended has found out by then.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private static readonly Type? CacheType = typeof(RemoteActorRefProvider).Assembly.GetType("Akka.Remote.Serialization.ActorRefResolveThreadLocalCache");

    /// <summary>The cache's fields that a thread keeps.</summary>
    internal static IReadOnlyList<FieldInfo> PerThread { get; } =
    [
        .. (CacheType?.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public) ?? [])
            .Where(field => field.FieldType.IsGenericType && field.FieldType.GetGenericTypeDefinition() == typeof(ThreadLocal<>)),
    ];

    /// <summary>Terminates the system, and lets go of it some time after it has ended. Returns when it has ended, or after <paramref name="patience"/>.</summary>
    /// <param name="system">Of ours.</param>
    /// <param name="patience">None: as long as it takes.</param>
    /// <param name="grace">For tests: from its end until it is let go.</param>
    public static async Task TerminateAsync(ActorSystem system, TimeSpan? patience = null, TimeSpan? grace = null)
    {
        var terminated = system.Terminate();
        _ = ForgetLaterAsync(system, terminated, grace ?? Grace);
        await Task.WhenAny(terminated, Task.Delay(patience ?? Timeout.InfiniteTimeSpan)).ConfigureAwait(false);
    }

    private static async Task ForgetLaterAsync(ActorSystem system, Task terminated, TimeSpan grace)
    {
        await terminated.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Delay(grace).ConfigureAwait(false);
        // Another version of Akka may have none; a test asks for it.
        if (CacheType is null || !system.TryGetExtension(CacheType, out var cache)) return;
        foreach (var field in PerThread) ((IDisposable?)field.GetValue(cache))?.Dispose();
    }
}
