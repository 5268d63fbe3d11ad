namespace Rcmp;

/// <summary>The file is not a region, or what is in it contradicts itself.</summary>
public sealed class RegionDamagedException(string message) : PoolException(FailurePage.See(message, "region-damaged"));

/// <summary>Another daemon has the region.</summary>
public sealed class RegionBusyException(string message) : PoolException(message);

/// <summary>The region cannot be made as asked for: too small, or a wrong page size. The message says what would do.</summary>
public sealed class RegionOptionsException(string message) : PoolException(message);

/// <summary>The machine lacks what the region needs: room, huge pages, the device, or the right to open it.</summary>
public sealed class RegionResourceException(string message) : PoolException(message);
